"""D-02, D-14: on which changes of `mig.config` mig-manager acts, and what it does then.

Sources: NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go; gpu-operator issue 2833;
tests/recordings/data/mig-manager-transitions.json.gz.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from conformance.expect.compare import compare_sequences
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.geometry import WantedGpu
from conformance.expect.transitions import GO, Course, check_idle
from conformance.expect.trial import Trial
from conformance.expect.trials import (
    check_courses,
    check_gpus_kept,
    check_operands_left_alone,
    check_reason,
    check_resources_kept,
)
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import MIG_CONFIG
from conformance.spec.releases import at_least

_NO_LABEL: Final = "(no label)"


def check_runs(context: CheckContext, trial: Trial, names: Sequence[str]) -> None:
    """Check which configurations mig-manager began to apply, in order, by its log.

    Args:
        context: Node and state that the check is about.
        trial: What was done.
        names: The names; an empty one stands for no label. Empty if it must do nothing.

    Raises:
        ConformanceError: Others, more or fewer, or in another order.
    """
    if finding := compare_sequences([name or _NO_LABEL for name in names], [name or _NO_LABEL for name in trial.runs]):
        likely = f"mig-manager acts once for each change of {MIG_CONFIG}, and only on the last of those during a run"
        raise ConformanceError(context, "runs of mig-manager", finding, (likely,))


def check_removed_meanwhile(context: CheckContext, trial: Trial, mig_manager: str) -> None:
    """Check that a run goes on to its end when the label is removed, and that the empty name is refused after it.

    An operator before v26.7.0 may give the node its default meanwhile; then that one is applied after the run.

    Args:
        context: Node and state that the check is about.
        trial: The request, during which the label was removed. The file must have several configurations.
        mig_manager: Image tag of mig-manager. The script before v0.13.0 writes no state for the empty name.

    Raises:
        ConformanceError: Other runs, or other labels than those of such runs.
    """
    stamped = any(MIG_CONFIG in change.set for change in trial.label_changes)
    if not stamped or trial.runs[:1] != (trial.configuration,):
        check_runs(context, trial, [trial.configuration, ""])
    refused = [Course.REFUSED] if at_least(mig_manager, GO) else []
    courses = (refused if not name else [Course.CHANGED] for name in trial.runs)
    check_courses(context, trial, [course for listed in courses for course in listed], mig_manager)


def check_stuck(context: CheckContext, trial: Trial, mig_manager: str) -> None:
    """Check a request during which the pod of an operand does not go away, and that mig-manager gives up in time.

    Up to v0.12 the script goes on after five minutes. From v0.13.0 the run ends, and the log says which pod it was; up
    to v0.15.0 the state stays `pending` (gpu-operator issue 2833).

    Raises:
        ConformanceError: Other label changes than those of the version, no word of it in the log, or GPUs that a run
            changed which had to end before.
    """
    check_courses(context, trial, [Course.STUCK], mig_manager)
    if at_least(mig_manager, GO):
        check_reason(context, trial, "did not shutdown")
        check_gpus_kept(context, trial)


def wanted_after_removal(trial: Trial, wanted: Sequence[WantedGpu]) -> tuple[WantedGpu, ...]:
    """Return the geometry that GPUs must have after a run during which the label was removed.

    Args:
        trial: The request, as for `check_removed_meanwhile`.
        wanted: The geometry of every GPU in the requested configuration.

    Returns:
        That geometry, or the one of the default that the operator gave the node meanwhile.
    """
    last = next((name for name in reversed(trial.runs) if name), trial.configuration)
    if last == trial.configuration or last != ALL_DISABLED:
        return tuple(wanted)
    return tuple(replace(gpu, enabled=False, instances=Counter()) for gpu in wanted)


def check_requested(context: CheckContext, trial: Trial, configuration: str | None) -> None:
    """Check the value of `mig.config` after the trial; None for no label.

    Raises:
        ConformanceError: It has another value.
    """
    if (found := trial.after.labels.get(MIG_CONFIG)) != configuration:
        finding = Finding((configuration or _NO_LABEL,), (found or _NO_LABEL,))
        likely = "the operator writes it: its default is spec.migManager.config.default of the ClusterPolicy"
        raise ConformanceError(context, MIG_CONFIG, finding, (likely,))


def check_ignored(context: CheckContext, trial: Trial, why: str) -> None:
    """Check that mig-manager did nothing at all: no run, no label change, the same GPUs, resources and operands.

    Args:
        context: Node and state that the check is about.
        trial: What was done.
        why: Why mig-manager must do nothing, for the message.

    Raises:
        ConformanceError: It did something.
    """
    check_runs(context, trial, ())
    check_idle(context, trial.label_changes, why)
    check_gpus_kept(context, trial)
    check_operands_left_alone(context, trial)
    check_resources_kept(context, trial)
