"""D-04, D-15: the configurations that a node must offer, generated or static.

Sources: NVIDIA/mig-parted v0.15.0, pkg/mig/builder (builder.go, balanced.go); before v0.14.0 the shipped file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from conformance.expect.catalogue import profile_counts
from conformance.expect.compare import compare_mappings
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.matching import matching_entries
from conformance.expect.observed import ObservedGpu
from conformance.spec.mig_parted import ALL_BALANCED, ALL_DISABLED, ALL_ENABLED, Configurations, Entry
from conformance.spec.names import MIG_MANAGER_APP, State
from conformance.spec.profile import Profile
from conformance.spec.releases import at_least
from conformance.spec.static_config import static_configurations

GENERATES: Final = "v0.14.0"
"""mig-manager from which the configurations are generated from the hardware."""
_BALANCED: Final[Mapping[int, Mapping[int, int]]] = {7: {1: 2, 2: 1, 3: 1}, 4: {1: 2, 2: 1}}
"""Slices of the largest profile to what all-balanced makes: slices to count."""
_UNTOUCHED: Final = "left as it is"

Offers = Mapping[str, Mapping[int, str]]
"""Configuration name to what it does to each GPU by index, in words."""


def expected_offers(gpus: Sequence[ObservedGpu], mig_manager: str) -> Offers:
    """Return what the node must be offered where no ConfigMap of the user's replaces it.

    Raises:
        VersionError: The tag is no version.
    """
    if not at_least(mig_manager, GENERATES):
        return as_offers(gpus, static_configurations())
    names = {ALL_DISABLED, ALL_ENABLED}.union(*(_generated(gpu) for gpu in gpus))
    return {name: {gpu.index: _effect(gpu, name) for gpu in gpus} for name in sorted(names)}


def as_offers(gpus: Sequence[ObservedGpu], configurations: Configurations) -> Offers:
    """Return what configurations do to each GPU of the node."""
    return {
        name: {gpu.index: _in_words(matching_entries(gpu, entries)) for gpu in gpus}
        for name, entries in sorted(configurations.entries.items())
    }


def check_offers(
    context: CheckContext, gpus: Sequence[ObservedGpu], configurations: Configurations, mig_manager: str
) -> None:
    """Compare the configurations that the node is offered with those that it must be offered, names and effects.

    Raises:
        ConformanceError: A name is missing or too much, or does something else to a GPU.
    """
    expected, found = expected_offers(gpus, mig_manager), as_offers(gpus, configurations)
    if finding := compare_mappings(_lines(expected), _lines(found), only_differences=True):
        raise ConformanceError(context, "offered configurations", finding)


def check_applied(context: CheckContext, state: str | None, reason: str = "") -> None:
    """Check that the reconfiguration ended in success.

    Args:
        context: Where.
        state: Last value of the state label; None where there is no such label.
        reason: The line of mig-manager's log that says why not; empty where unknown.

    Raises:
        ConformanceError: It ended otherwise, or not at all.
    """
    if state != State.SUCCESS:
        likely = [f"{MIG_MANAGER_APP}: {reason}"] if reason else []
        finding = Finding((State.SUCCESS,), () if state is None else (state,))
        raise ConformanceError(context, "state", finding, likely)


def _generated(gpu: ObservedGpu) -> Mapping[str, Mapping[str, int]]:
    """Return what is generated for the GPU: configuration name to MIG devices by profile."""
    counts = profile_counts(gpu)
    listed = {f"all-{Profile.parse(name).suffix}": {name: count} for name, count in counts.items()}
    balanced = _balanced({Profile.parse(name): count for name, count in counts.items()})
    return listed | ({ALL_BALANCED: balanced} if balanced else {})


def _balanced(counts: Mapping[Profile, int]) -> Mapping[str, int]:
    """Divide the GPU unevenly; empty where it is not of seven or four slices or lacks a plain profile for it."""
    plain = {profile: count for profile, count in counts.items() if profile == profile.base}
    wanted = _BALANCED.get(max((profile.gpu_slices for profile in plain), default=0), {})
    divided = {}
    for slices, count in wanted.items():
        candidates = [profile for profile in plain if profile.gpu_slices == slices]
        if not candidates:
            return {}
        divided[str(max(candidates, key=lambda profile: plain[profile]))] = count
    return divided


def _effect(gpu: ObservedGpu, name: str) -> str:
    if name == ALL_DISABLED:
        return _mode(enabled=False, counts={})
    if name == ALL_ENABLED:
        return _mode(enabled=True, counts={})
    generated = _generated(gpu).get(name)
    return _UNTOUCHED if generated is None else _mode(enabled=True, counts=generated)


def _in_words(matching: Sequence[Entry]) -> str:
    return _mode(matching[-1].enabled, matching[-1].mig_devices) if matching else _UNTOUCHED


def _mode(enabled: bool, counts: Mapping[str, int]) -> str:
    devices = ", ".join(f"{count} x {name}" for name, count in sorted(counts.items()))
    return f"MIG on, {devices or 'no instances'}" if enabled else "MIG off"


def _lines(offers: Offers) -> dict[str, str]:
    """Write one line a configuration: GPUs that are treated alike together."""
    return {name: "; ".join(_by_gpu(effects)) for name, effects in offers.items()}


def _by_gpu(effects: Mapping[int, str]) -> list[str]:
    alike: dict[str, list[str]] = {}
    for index, effect in effects.items():
        alike.setdefault(effect, []).append(str(index))
    return [effect if len(alike) == 1 else f"GPU {','.join(on)} {effect}" for effect, on in alike.items()]
