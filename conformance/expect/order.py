"""D-02, D-05: the order of mig-manager's steps, by its log, and by pods and labels together.

The resourceVersions of pods and nodes are compared: they come from one counter of the API server's store. The times at
which the suite saw the changes do not tell the order, because every watch has its own delay.

Source: NVIDIA/mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go; before v0.13.0 reconfigure-mig.sh.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from conformance.expect.compare import compare_sequences
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.label_changes import LabelChange, touched
from conformance.expect.operands import PodRecord
from conformance.spec.names import MIG_CONFIG_STATE, PAUSED, PAUSED_APPS, VALIDATOR_APP, State

_STEPS: Final = (
    ("stops the operands", "Shutting down all GPU clients in Kubernetes"),
    ("waits for the device plugin", "Waiting for the device-plugin to shutdown"),
    ("waits for GPU Feature Discovery", "Waiting for gpu-feature-discovery to shutdown"),
    ("waits for dcgm-exporter", "Waiting for dcgm-exporter to shutdown"),
    ("waits for DCGM", "Waiting for dcgm to shutdown"),
    ("changes the MIG mode", "Applying the MIG mode change from the selected config"),
    ("applies the configuration", "Applying the selected MIG config to the node"),
    ("restarts the validator", "Restarting validator pod to re-run all validations"),
    ("resumes the operands", "Restarting all GPU clients previously shutdown in Kubernetes"),
    ("writes success", f"'{MIG_CONFIG_STATE}' node label to '{State.SUCCESS}'"),
)
"""Steps of a change in order, each with the text by which every version logs it."""


def check_steps(context: CheckContext, log: Sequence[str]) -> None:
    """Check in mig-manager's log that it changed the GPUs while the operands were gone and before it wrote `success`.

    The labels alone do not show this order: operands and pods start seconds later and then find the GPUs changed.

    Args:
        context: Node and state that the check is about.
        log: Lines that mig-manager logged during the reconfiguration; empty if the log cannot be read. From v0.13.0,
            whose lines have a `msg=`, a log with the first and the last step must have all steps.

    Raises:
        ConformanceError: A step was made too early, twice or not at all.
    """
    found = [(step, line) for line in log for step, text in _STEPS if text in line]
    order, steps = [step for step, _ in found], [step for step, _ in _STEPS]
    whole = {steps[0], steps[-1]} <= set(order) and all("msg=" in line for _, line in found)
    expected = [step for step in steps if whole or step in order]
    if order != expected:
        finding = compare_sequences(expected, order) or Finding()
        shown = replace(
            finding, expected=(", then ".join(expected),), found=tuple(f"{step}: {line}" for step, line in found)
        )
        raise ConformanceError(context, "log of mig-manager", shown)


def check_pods_and_labels(
    context: CheckContext, pods: Sequence[PodRecord], changes: Sequence[LabelChange], apps: Sequence[str]
) -> None:
    """Check that operands were stopped by their deploy labels, and were gone before these labels came back.

    GPUs are changed between the two, so an operand that is there when the labels come back ran while they changed.

    Args:
        context: Node and state that the check is about.
        pods: All pods that were on the node.
        changes: Label changes of others than the suite. If no deploy label is paused and resumed, nothing is checked.
        apps: Apps whose pods are replaced.

    Raises:
        ConformanceError: A pod of an app was deleted before its deploy label was paused, was still there when that
            label came back; or the validator's pod was deleted before the GPUs were changed or after the labels were
            back.
    """
    paused, resumed = _version(changes, PAUSED), _version(changes, "true")
    if paused is None or resumed is None:
        return
    wrong = tuple(
        text
        for pod in pods
        if pod.app in apps and pod.started is None
        for text in (_paused_pod(pod, paused, resumed) if pod.app in PAUSED_APPS else _validator(pod, pods, resumed))
    )
    if wrong:
        expected = (
            "operands stop after their deploy labels are paused, and are gone before these are back",
            f"{VALIDATOR_APP} is stopped in between, once they are gone",
        )
        raise ConformanceError(context, "order of pods and labels", Finding(expected, wrong))


def _paused_pod(pod: PodRecord, paused: int, resumed: int) -> Iterator[str]:
    stopped, gone = _of(pod, "terminating"), _of(pod, "gone")
    if stopped is not None and stopped < paused:
        yield f"{pod.app}: stopped before its deploy label was paused"
    if pod.ended is None or (gone is not None and gone > resumed):
        yield f"{pod.app}: still there when its deploy label came back"


def _validator(pod: PodRecord, pods: Sequence[PodRecord], resumed: int) -> Iterator[str]:
    stopped = _of(pod, "terminating")
    if stopped is None:
        return
    if stopped > resumed:
        yield f"{pod.app}: stopped after the deploy labels were back"
    for other in pods:
        gone = _of(other, "gone")
        if other.app in PAUSED_APPS and other.started is None and gone is not None and gone > stopped:
            yield f"{pod.app}: stopped while {other.app} was still there"


def _version(changes: Sequence[LabelChange], value: str) -> int | None:
    """Return the resourceVersion of the first change that sets a state or deploy label to `value`; None for none."""
    paused = next((at for at, change in enumerate(changes) if PAUSED in touched(change).values()), len(changes))
    since = changes[paused:] if value == "true" else changes
    return next((_number(change.version) for change in since if value in touched(change).values()), None)


def _of(pod: PodRecord, step: str) -> int | None:
    return _number(pod.versions.get(step, ""))


def _number(version: str) -> int | None:
    return int(version) if version.isdigit() else None
