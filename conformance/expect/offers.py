"""D-04, D-15: the configurations that must be offered to a node, generated or static.

Sources: NVIDIA/mig-parted v0.15.0, pkg/mig/builder (builder.go, balanced.go); for versions before v0.14.0 the file that
the operator ships (static-config.yaml).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from conformance.expect.catalogue import profile_counts
from conformance.expect.compare import compare_mappings, compare_sequences
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.matching import matching_entries
from conformance.expect.observed import ObservedGpu
from conformance.spec.mig_parted import ALL_BALANCED, ALL_DISABLED, ALL_ENABLED, Configurations, Entry
from conformance.spec.models import model_of
from conformance.spec.names import MIG_MANAGER_APP, State
from conformance.spec.profile import Profile
from conformance.spec.releases import at_least
from conformance.spec.static_config import static_configurations

GENERATES: Final = "v0.14.0"
"""First mig-manager that generates the configurations from the hardware."""
_BALANCED: Final[Mapping[int, Mapping[int, int]]] = {7: {1: 2, 2: 1, 3: 1}, 4: {1: 2, 2: 1}}
"""Slices of a GPU's largest profile to the instances of `all-balanced`: slices of a profile to number of instances."""
_UNTOUCHED: Final = "left as it is"

Offers = Mapping[str, Mapping[int, str]]
"""Configuration name to its effect on each GPU: GPU index to a short text, such as `MIG on, 7 x 1g.10gb`."""


def expected_offers(gpus: Sequence[ObservedGpu], mig_manager: str) -> Offers:
    """Return what must be offered to the node if no ConfigMap of a user replaces the built-in configurations.

    Args:
        gpus: The GPUs of the node.
        mig_manager: Image tag of mig-manager.

    Raises:
        VersionError: The tag is not a version.
    """
    if not at_least(mig_manager, GENERATES):
        return as_offers(gpus, static_configurations())
    names = {ALL_DISABLED, ALL_ENABLED}.union(*(_generated(gpu) for gpu in gpus))
    return {name: {gpu.index: _generated_effect(gpu, name) for gpu in gpus} for name in sorted(names)}


def as_offers(gpus: Sequence[ObservedGpu], configurations: Configurations) -> Offers:
    """Return the effect of each configuration on each GPU of the node."""
    return {
        name: {gpu.index: _effect_of(matching_entries(gpu, entries)) for gpu in gpus}
        for name, entries in sorted(configurations.entries.items())
    }


def check_offers(
    context: CheckContext, gpus: Sequence[ObservedGpu], configurations: Configurations, mig_manager: str
) -> None:
    """Check names and effects of the configurations that are offered to the node.

    Args:
        context: Node and state that the check is about.
        gpus: The GPUs of the node.
        configurations: The configurations in the node's file.
        mig_manager: Image tag of mig-manager.

    Raises:
        ConformanceError: A configuration is missing or unexpected, or has another effect on a GPU.
    """
    expected, found = expected_offers(gpus, mig_manager), as_offers(gpus, configurations)
    if finding := compare_mappings(_lines(expected), _lines(found), only_differences=True):
        raise ConformanceError(context, "offered configurations", finding)


def check_offers_as_labelled(
    context: CheckContext, gpus: Sequence[ObservedGpu], configurations: Configurations, mig_manager: str
) -> None:
    """Check names and effects of the offered configurations for GPUs that only labels describe.

    Of a model whose profiles no source confirms, only the GPU itself could tell them: there, as for a model that is not
    in models.yaml, the two configurations without profiles are checked.

    Raises:
        ConformanceError: A configuration is missing or unexpected, or has another effect on a GPU.
    """
    if all((known := model_of(gpu.name)) and "placements" in known[0].confirmed_by for gpu in gpus):
        check_offers(context, gpus, configurations, mig_manager)
    elif missing := sorted({ALL_DISABLED, ALL_ENABLED} - set(configurations.entries)):
        found = Finding((ALL_DISABLED, ALL_ENABLED), tuple(sorted(configurations.entries)))
        raise ConformanceError(context, "offered configurations", found, (f"{', '.join(missing)} is not in the file",))


def check_applied(context: CheckContext, state: str | None, reason: str = "", holders: Sequence[str] = ()) -> None:
    """Check that the reconfiguration ended in `success`.

    Args:
        context: Node and state that the check is about.
        state: Last value of the state label; None if the node has no such label.
        reason: Line of mig-manager's log with the reason of a failure; empty if unknown.
        holders: Who may keep GPUs busy, if that is the reason.

    Raises:
        ConformanceError: The state is not `success`.
    """
    if state != State.SUCCESS:
        likely = [f"{MIG_MANAGER_APP}: {reason}"] if reason else []
        finding = Finding((State.SUCCESS,), () if state is None else (state,))
        raise ConformanceError(context, "state", finding, [*likely, *holders])


def check_offered_again(context: CheckContext, before: Sequence[str], after: Sequence[str]) -> None:
    """Check that a node is offered the same configurations as before another ConfigMap was in force.

    Raises:
        ConformanceError: A name is missing or new.
    """
    if finding := compare_sequences(sorted(before), sorted(after)):
        raise ConformanceError(context, "offered configurations", finding, (f"{MIG_MANAGER_APP} has the other file",))


def check_untainted(context: CheckContext, taints: Sequence[str]) -> None:
    """Check that the reconfiguration left no taint that keeps pods away.

    Args:
        context: Node and state that the check is about.
        taints: Taints that the node got during the run, as `key=value:effect`.

    Raises:
        ConformanceError: There is one.
    """
    if taints:
        likely = ("mig-manager does not taint nodes; pods of the suite cannot start here",)
        raise ConformanceError(context, "new taints", Finding((), tuple(taints)), likely)


def _generated(gpu: ObservedGpu) -> Mapping[str, Mapping[str, int]]:
    """Return the configurations that mig-manager generates for the GPU, besides `all-disabled` and `all-enabled`."""
    counts = profile_counts(gpu)
    listed = {f"all-{Profile.parse(name).suffix}": {name: count} for name, count in counts.items()}
    balanced = _balanced({Profile.parse(name): count for name, count in counts.items()})
    return listed | ({ALL_BALANCED: balanced} if balanced else {})


def _balanced(counts: Mapping[Profile, int]) -> Mapping[str, int]:
    """Return the instances of `all-balanced`; empty if the GPU has no such configuration.

    Only GPUs whose largest profile has seven or four slices have one. If several profiles without attributes have the
    same number of slices, the one with the largest count is used.
    """
    plain = {profile: count for profile, count in counts.items() if profile == profile.base}
    wanted = _BALANCED.get(max((profile.gpu_slices for profile in plain), default=0), {})
    divided = {}
    for slices, count in wanted.items():
        candidates = [profile for profile in plain if profile.gpu_slices == slices]
        if not candidates:
            return {}
        divided[str(max(candidates, key=lambda profile: plain[profile]))] = count
    return divided


def _generated_effect(gpu: ObservedGpu, name: str) -> str:
    if name == ALL_DISABLED:
        return _mode(enabled=False, counts={})
    if name == ALL_ENABLED:
        return _mode(enabled=True, counts={})
    generated = _generated(gpu).get(name)
    return _UNTOUCHED if generated is None else _mode(enabled=True, counts=generated)


def _effect_of(matching: Sequence[Entry]) -> str:
    return _mode(matching[-1].enabled, matching[-1].mig_devices) if matching else _UNTOUCHED


def _mode(enabled: bool, counts: Mapping[str, int]) -> str:
    devices = ", ".join(f"{count} x {name}" for name, count in sorted(counts.items()))
    return f"MIG on, {devices or 'no instances'}" if enabled else "MIG off"


def _lines(offers: Offers) -> dict[str, str]:
    """Return one line per configuration; GPUs with the same effect are grouped."""
    return {name: "; ".join(_by_gpu(effects)) for name, effects in offers.items()}


def _by_gpu(effects: Mapping[int, str]) -> list[str]:
    alike: dict[str, list[str]] = {}
    for index, effect in effects.items():
        alike.setdefault(effect, []).append(str(index))
    return [effect if len(alike) == 1 else f"GPU {','.join(on)} {effect}" for effect, on in alike.items()]
