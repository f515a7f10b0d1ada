"""The labels that the operator sets on nodes, and the changes of nodes that trigger a reconcile: pure functions.

Source: NVIDIA/gpu-operator v26.7.0, controllers/state_manager.go and nodelabeling_controller.go; v26.3.3,
controllers/clusterpolicy_controller.go for releases without a node-label reconciler.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from conformance.spec.mig_parted import ALL_DISABLED
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
    """Return the labels to set on a node (None to remove one); empty if nothing is to change.

    A deploy label with a value is kept: the operand may be paused or disabled.

    Args:
        labels: Current labels of the node.
        policy: The ClusterPolicy.
        client: Whether this release has the label nvidia.com/gpu.deploy.client.
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


def triggers_reconcile(old: Labels, new: Labels, *, reconciler: bool) -> bool:
    """Return whether a change of a node's labels triggers a reconcile.

    The removal of nvidia.com/mig.config does not, in any release.

    Args:
        old: Labels before the change; empty for a new node.
        new: Labels after the change.
        reconciler: Whether the release has the node-label reconciler (v26.7.0), which watches more labels.
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
    """Return whether the operator has labelled the node as a GPU node."""
    return labels.get(GPU_PRESENT) == "true"


def is_mig_capable(labels: Labels) -> bool:
    """Return whether the operator considers the node MIG capable: by GFD's label or, without it, by product name."""
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
    """Return the default configuration for nodes without the label; empty for none."""
    manager = policy["spec"].get("migManager", {})
    default = manager.get("config", {}).get("default", "")
    return default if manager.get("enabled", True) and default == ALL_DISABLED else ""
