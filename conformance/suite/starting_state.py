"""Says whether the state in which a node was found can be brought back, before anything is changed.

mig-manager brings back a configuration by its name. So the name must be in the file, and the GPUs must be as the name
says. Source: docs/reference/mig-manager.md#when-it-acts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from conformance.cluster.views import NodeView
from conformance.expect.geometry import WantedGpu, observed_geometry, wanted_geometry
from conformance.expect.observed import ObservedGpu
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import GPU_PRODUCT, MIG_CONFIG, MIG_CONFIG_STATE, State
from conformance.suite.targets import Target

_SLICES: Final = "nvidia.com/mig-"
_SLICED_PRODUCT: Final = "-MIG-"


def why_not_restorable(node: NodeView, target: Target) -> str | None:
    """Return why the state of a node could not be brought back, and what to do about it; None if it could.

    Judges by labels and resources alone; `why_not_as_labelled` judges by the GPUs.
    """
    configuration, state = node.labels.get(MIG_CONFIG), node.labels.get(MIG_CONFIG_STATE)
    if configuration not in (None, "") and configuration not in target.configurations.entries:
        return (
            f"its label {MIG_CONFIG}={configuration} names no configuration of ConfigMap {target.source}; add "
            f"{configuration} there, or set the label to one of {', '.join(target.configurations.entries)}"
        )
    if not configuration:
        return _why_not_without_configuration(node, target)
    if state != State.SUCCESS:
        return (
            f"its state is {state or 'absent'}, not success, so what its GPUs have is not what {MIG_CONFIG}="
            f"{configuration} says; set the label again and wait for success"
        )
    return None


def why_not_as_labelled(configuration: str | None, target: Target, gpus: Sequence[ObservedGpu]) -> str | None:
    """Return how the GPUs of a node differ from its configuration, so that this would not bring them back; else None.

    Args:
        configuration: Value of `mig.config`; None or empty if the node has none: then MIG must be off.
        target: The node.
        gpus: Its GPUs before the first change.
    """
    seen = observed_geometry(gpus)
    if configuration:
        wanted = wanted_geometry(gpus, target.entries(configuration))
    else:
        wanted = tuple(replace(gpu, enabled=False, instances=Counter()) for gpu in seen)
    unlike = [
        f"GPU {found.index} has {_described(found)}, not {_described(expected)}"
        for found, expected in zip(seen, wanted, strict=True)
        if (found.enabled, Counter(found.instances)) != (expected.enabled, Counter(expected.instances))
    ]
    if not unlike:
        return None
    label = f"{MIG_CONFIG}={configuration}" if configuration else f"no label {MIG_CONFIG}"
    return f"it has {label}, but {'; '.join(unlike)}; set the label to the configuration of its GPUs"


def _described(gpu: WantedGpu) -> str:
    if not gpu.enabled:
        return "MIG off"
    return ", ".join(f"{count} x {profile}" for profile, count in gpu.instances.items()) or "MIG on without slices"


def _why_not_without_configuration(node: NodeView, target: Target) -> str | None:
    sliced = any(name.startswith(_SLICES) for name in node.advertised)
    if sliced or _SLICED_PRODUCT in node.labels.get(GPU_PRODUCT, ""):
        return f"it has no label {MIG_CONFIG}, but its GPUs are partitioned; set the label to their configuration"
    if ALL_DISABLED not in target.configurations.entries:
        return (
            f"it has no label {MIG_CONFIG}, and ConfigMap {target.source} has no configuration {ALL_DISABLED} to "
            "bring its GPUs back with; add it there"
        )
    return None
