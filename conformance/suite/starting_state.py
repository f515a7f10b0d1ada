"""Says whether the state in which a node was found can be brought back, before anything is changed.

mig-manager brings back a configuration by its name. So the name must be in the file, and the GPUs must be as the name
says. Source: docs/reference/mig-manager.md#when-it-acts.
"""

from __future__ import annotations

from typing import Final

from conformance.cluster.views import NodeView
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import GPU_PRODUCT, MIG_CONFIG, MIG_CONFIG_STATE, State
from conformance.suite.targets import Target

_SLICES: Final = "nvidia.com/mig-"
_SLICED_PRODUCT: Final = "-MIG-"


def why_not_restorable(node: NodeView, target: Target) -> str | None:
    """Return why the state of a node could not be brought back, and what to do about it; None if it could.

    Judges by labels and resources alone; `why_not_as_labelled` looks at the GPUs.
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
