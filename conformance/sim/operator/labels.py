"""Which labels the operator gives a node, and which changes of a node make it look: pure functions.

Source: NVIDIA/gpu-operator v26.7.0, controllers/state_manager.go and nodelabeling_controller.go; v26.3.3,
controllers/clusterpolicy_controller.go for releases without a node-label reconciler.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from conformance.spec.names import (
    DEPLOY_CLIENT,
    DEPLOY_MIG_MANAGER,
    DEPLOY_PREFIX,
    GPU_PRESENT,
    GPU_PRODUCT,
    MIG_CAPABLE,
    MIG_CONFIG,
)

Labels = Mapping[str, str]

_DEPLOY: Final = tuple(
    DEPLOY_PREFIX + operand
    for operand in (
        "container-toolkit", "dcgm", "dcgm-exporter", "device-plugin", "driver", "gpu-feature-discovery",
        "node-status-exporter", "operator-validator",
    )
)  # fmt: skip
_GPU_FOUND: Final = tuple(f"feature.node.kubernetes.io/pci-{kind}10de.present" for kind in ("", "0300_", "0302_"))
_OPERANDS: Final = DEPLOY_PREFIX + "operands"
_WORKLOAD: Final = "nvidia.com/gpu.workload.config"
_VGPU_HOST: Final = "nvidia.com/vgpu.host-driver-version"
_KNOWN_CAPABLE: Final = ("h100", "a100", "a30")


def label_patch(labels: Labels, policy: Mapping[str, Any], *, client: bool) -> dict[str, str | None]:
    """Return the labels to set (None: to remove) so that a node carries what the operator wants; empty if it does.

    A deploy label that is there and not empty stays as it is: somebody may have paused the operand or switched it off.

    Args:
        labels: What the node carries.
        policy: The ClusterPolicy.
        client: Whether this release knows the label nvidia.com/gpu.deploy.client.
    """
    patch: dict[str, str | None] = {}
    if _has_gpu(labels) != is_gpu_node(labels):
        patch[GPU_PRESENT] = "true" if _has_gpu(labels) else "false"
    elif not is_gpu_node(labels):
        return {}
    deploy = (*_DEPLOY, *((DEPLOY_CLIENT,) if client else ()))
    if not _has_gpu(labels) or _operands_off(labels):
        return patch | {name: None for name in (*deploy, DEPLOY_MIG_MANAGER) if name in labels}
    patch |= {name: "true" for name in deploy if not labels.get(name)}
    if is_mig_capable(labels):
        if DEPLOY_MIG_MANAGER not in labels:
            patch[DEPLOY_MIG_MANAGER] = "true"
        if not labels.get(MIG_CONFIG) and (default := _default_configuration(policy)):
            patch[MIG_CONFIG] = default
    return patch


def wakes(old: Labels, new: Labels, *, reconciler: bool) -> bool:
    """Whether a change of a node's labels makes the operator look at the nodes again.

    Removal of nvidia.com/mig.config is not among them, in no release.

    Args:
        old: Labels before the change; empty for a new node.
        new: Labels after it.
        reconciler: Whether the release has the node-label reconciler (v26.7.0), which looks at more of them.
    """
    common = (
        _has_gpu(new) != is_gpu_node(new)
        or _operands_off(old) != _operands_off(new)
        or old.get(_WORKLOAD) != new.get(_WORKLOAD)
    )
    if reconciler:
        return common or old.get(GPU_PRESENT) != new.get(GPU_PRESENT) or is_mig_capable(old) != is_mig_capable(new)
    return common or (is_mig_capable(new) and DEPLOY_MIG_MANAGER not in new)


def is_gpu_node(labels: Labels) -> bool:
    """Whether the operator has marked the node as one with GPUs."""
    return labels.get(GPU_PRESENT) == "true"


def is_mig_capable(labels: Labels) -> bool:
    """Whether the operator takes the node for MIG capable: by GFD's label, or by product name while that is absent."""
    if labels.get(_VGPU_HOST):
        return False
    if (capable := labels.get(MIG_CAPABLE)) is not None:
        return capable == "true"
    product = labels.get(GPU_PRODUCT, "").lower()
    return any(name in product for name in _KNOWN_CAPABLE)


def _has_gpu(labels: Labels) -> bool:
    return any(labels.get(name) == "true" for name in _GPU_FOUND)


def _operands_off(labels: Labels) -> bool:
    return labels.get(_OPERANDS) == "false"


def _default_configuration(policy: Mapping[str, Any]) -> str:
    """Name to stamp on nodes without a label; empty where nothing is to be stamped."""
    manager = policy["spec"].get("migManager", {})
    default = manager.get("config", {}).get("default", "")
    return default if manager.get("enabled", True) and default == "all-disabled" else ""
