"""What the labels, resources and devices of a node must say of each other, whoever made its MIG devices.

Nothing here needs a configuration or mig-manager. Source: docs/reference/device-plugin.md#resources and #labels.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from conformance.expect.compare import compare_mappings
from conformance.expect.device_plugin import WHOLE_NAME_PATTERNS, DevicePlugin
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.label_parts import product
from conformance.expect.observed import ListedGpu
from conformance.expect.resources import above_zero
from conformance.spec.names import (
    DEPLOY_PREFIX,
    GPU_COUNT,
    GPU_PRODUCT,
    GPU_RESOURCE,
    MIG_CONFIG,
    MIG_CONFIG_STATE,
    MIG_MANAGER_APP,
    MIG_RESOURCE_PREFIX,
    PAUSED,
    PREFIX,
    State,
    Strategy,
)

_COUNT: Final = re.compile(re.escape(MIG_RESOURCE_PREFIX) + r"(?P<profile>.+)\.count")
_BASE: Final = re.compile(r"(?:\d+c\.)?\d+g\.\d+gb")
_ON_THE_WAY: Final = (State.PENDING, State.REBOOTING)
_SLICES: Final = f"{GPU_RESOURCE}.slices.gi"
"""Label of a node whose label `gpu.count` counts MIG devices."""
_SMALLER: Final = re.compile(r"\d+c\.")


def check_not_failed(context: CheckContext, labels: Mapping[str, str], offered: Sequence[str]) -> None:
    """Check that mig-manager has not refused or failed to apply the configuration that the node's label names.

    Args:
        context: Node and state that the check is about.
        labels: All labels of the node.
        offered: Names of the configurations in the node's file.

    Raises:
        ConformanceError: The state is `failed`.
    """
    configuration, state = labels.get(MIG_CONFIG), labels.get(MIG_CONFIG_STATE)
    if not configuration or state != State.FAILED:
        return
    known = f"its file has {', '.join(offered)}"
    cause = f"no configuration is named {configuration}: {known}" if configuration not in offered else MIG_MANAGER_APP
    look_at = "the log of mig-manager on the node has the reason"
    found = (f"{MIG_CONFIG}={configuration} in state {state}",)
    raise ConformanceError(context, "configuration", Finding(("an applied configuration",), found), (cause, look_at))


def check_settled(context: CheckContext, labels: Mapping[str, str]) -> None:
    """Check that no change of the geometry is left unfinished: no state on the way, and no operand that stays paused.

    Raises:
        ConformanceError: Something is left; the message names the labels.
    """
    left = [f"{MIG_CONFIG_STATE}={labels[MIG_CONFIG_STATE]}"] if labels.get(MIG_CONFIG_STATE) in _ON_THE_WAY else []
    left += [f"{key}={PAUSED}" for key in sorted(labels) if key.startswith(DEPLOY_PREFIX) and labels[key] == PAUSED]
    if left:
        expected = (f"{MIG_CONFIG_STATE} is {State.SUCCESS} or {State.FAILED}", "no operand is paused")
        likely = ("mig-manager waits for a pod that does not go, or was stopped in a change: see its log on the node",)
        raise ConformanceError(context, "end of the last change", Finding(expected, tuple(left)), likely)


def check_counts(
    context: CheckContext,
    labels: Mapping[str, str],
    allocatable: Mapping[str, int],
    strategy: Strategy,
    plugin: DevicePlugin,
    *,
    models: int | None = 1,
) -> None:
    """Check that the node advertises as many devices of each resource as its labels count.

    Args:
        context: Node and state that the check is about.
        labels: All labels of the node.
        allocatable: Resource name to allocatable count.
        strategy: Strategy of the cluster.
        plugin: The device plugin.
        models: Number of GPU models on the node; None if unknown. The labels describe one of them; whole GPUs of the
            others are not counted.

    Raises:
        ConformanceError: A count differs, or a resource is advertised that no label counts.
    """
    advertised = {name: count for name, count in allocatable.items() if name.startswith(PREFIX)}
    if (expected := counts_by_labels(labels, strategy, plugin)) is None:
        return
    whole = advertised.get(GPU_RESOURCE, 0)
    if strategy is Strategy.MIXED:
        if models != 1 or _some_gpus_are_whole(labels):
            expected = {**expected, GPU_RESOURCE: whole}
    elif _SLICES in labels:
        if models is not None and models > 1:
            expected = {}  # the plugin refuses MIG devices on GPUs of several models
    elif models != 1 and expected[GPU_RESOURCE]:
        expected = {GPU_RESOURCE: max(expected[GPU_RESOURCE] + (models or 1) - 1, whole)}
    if finding := compare_mappings(above_zero(expected), above_zero(advertised)):
        raise ConformanceError(context, "resources compared with labels", finding)


def counts_by_labels(labels: Mapping[str, str], strategy: Strategy, plugin: DevicePlugin) -> dict[str, int] | None:
    """Return the devices of each resource that the labels count; None if the plugin refuses what they describe.

    Whole GPUs under `mixed` are left out: the labels count all GPUs together.
    """
    if strategy is not Strategy.MIXED:
        return {GPU_RESOURCE: _number(labels.get(GPU_COUNT))}
    found = [(match["profile"], _number(labels[name])) for name in labels if (match := _COUNT.fullmatch(name))]
    if any(_SMALLER.match(profile) for profile, _ in found):
        return None
    counts: Counter[str] = Counter()
    for profile, count in found:
        base = _BASE.match(profile)
        whole = plugin.is_at_least(WHOLE_NAME_PATTERNS) or base is None
        counts[MIG_RESOURCE_PREFIX + (profile if whole or base is None else base[0])] += count
    return dict(counts)


def check_listing(
    context: CheckContext, labels: Mapping[str, str], listed: Sequence[ListedGpu], strategy: Strategy
) -> None:
    """Check that `nvidia-smi -L` on the node lists as many devices of each profile as the labels count.

    The labels count the GPUs of the model that they name, and the MIG devices of all GPUs.

    Raises:
        ConformanceError: A count differs.
    """
    devices = Counter(device.profile.replace("+", ".") for gpu in listed for device in gpu.devices)
    model = labels.get(GPU_PRODUCT, "").partition("-MIG-")[0].removesuffix("-SHARED")
    described = sum(product(gpu.name) == model for gpu in listed) or len(listed)
    if strategy is Strategy.MIXED:
        counted = {m["profile"]: _number(labels[name]) for name in labels if (m := _COUNT.fullmatch(name))}
        expected, found = counted | {"GPUs": _number(labels.get(GPU_COUNT))}, devices | Counter({"GPUs": described})
    elif _number(labels.get(GPU_COUNT)) == 0:
        return  # under `single` the labels do not count what is no uniform geometry
    else:
        expected = {"devices": _number(labels.get(GPU_COUNT))}
        found = Counter({"devices": sum(devices.values()) or described})
    if finding := compare_mappings(above_zero(expected), above_zero(found)):
        raise ConformanceError(context, "nvidia-smi -L compared with labels", finding)


def _some_gpus_are_whole(labels: Mapping[str, str]) -> bool:
    return labels.get(f"{GPU_RESOURCE}.replicas") not in (None, "0")


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdigit() else 0
