"""Names that the suite, the simulated cluster and the real components share; each is defined only here.

Sources: NVIDIA/gpu-operator v26.7.0 (assets, controllers), NVIDIA/mig-parted v0.15.0 (pkg/mig/reconfigure),
NVIDIA/k8s-device-plugin v0.20.0 (internal/rm, internal/lm).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

PREFIX: Final = "nvidia.com/"

GPU_RESOURCE: Final = "nvidia.com/gpu"
"""Extended resource of whole GPUs, and under strategy `single` of MIG devices."""
MIG_RESOURCE_PREFIX: Final = "nvidia.com/mig-"
"""Prefix of the extended resources under strategy `mixed`; the profile follows, with every `+` written as `.`."""

MIG_CONFIG: Final = "nvidia.com/mig.config"
"""Node label that requests a configuration by its name in the mig-parted file."""
MIG_CONFIG_STATE: Final = "nvidia.com/mig.config.state"
"""Node label with mig-manager's answer; see `State`."""
DEVICE_PLUGIN_CONFIG: Final = "nvidia.com/device-plugin.config"
"""Node label that names a file of the ConfigMap in `spec.devicePlugin.config` of the ClusterPolicy."""
MIG_CAPABLE: Final = "nvidia.com/mig.capable"
MIG_STRATEGY: Final = "nvidia.com/mig.strategy"
GPU_PRODUCT: Final = "nvidia.com/gpu.product"
GPU_COUNT: Final = "nvidia.com/gpu.count"
COMPUTE_MAJOR: Final = "nvidia.com/gpu.compute.major"
GPU_PRESENT: Final = "nvidia.com/gpu.present"
CUDA_DRIVER_VERSION: Final = "nvidia.com/cuda.driver-version.full"
GFD_TIMESTAMP: Final = "nvidia.com/gfd.timestamp"
HOSTNAME: Final = "kubernetes.io/hostname"
CONTROL_PLANE: Final = "node-role.kubernetes.io/control-plane"
"""Label of nodes that run the control plane."""
INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"
SIMULATED_INSTANCE_TYPE: Final = "simulated-gpu"
"""Instance type of this project's simulated nodes; a run through a kubeconfig recognises them by it."""

DEPLOY_PREFIX: Final = "nvidia.com/gpu.deploy."
"""Prefix of the deploy labels, which select the nodes of an operand; values: `true`, `false`, `PAUSED`."""
DEPLOY_MIG_MANAGER: Final = DEPLOY_PREFIX + "mig-manager"
DEPLOY_CLIENT: Final = DEPLOY_PREFIX + "client"
PAUSED: Final = "paused-for-mig-change"
"""Value of the deploy labels while mig-manager changes the geometry."""
PAUSED_OPERANDS: Final = ("device-plugin", "gpu-feature-discovery", "dcgm-exporter", "dcgm", "nvsm")
"""Deploy labels that mig-manager pauses, without their prefix, in its order; from v0.15.0 also `client`."""

OPERATOR_NAMESPACE: Final = "gpu-operator"
"""Usual namespace of the operator. The suite reads the actual one from `status.namespace` of the ClusterPolicy."""
OPERATOR_APP: Final = "gpu-operator"
"""Label `app` of the operator's own pod."""
MIG_MANAGER_APP: Final = "nvidia-mig-manager"
DEVICE_PLUGIN_APP: Final = "nvidia-device-plugin-daemonset"
DEVICE_PLUGIN_CONTAINER: Final = "nvidia-device-plugin"
FEATURE_DISCOVERY_APP: Final = "gpu-feature-discovery"
DCGM_APP: Final = "nvidia-dcgm"
DCGM_EXPORTER_APP: Final = "nvidia-dcgm-exporter"
VALIDATOR_APP: Final = "nvidia-operator-validator"
WORKLOAD_VALIDATOR_APPS: Final = ("nvidia-cuda-validator", "nvidia-device-plugin-validator")
"""Apps of the pods that the validator starts, and that mig-manager deletes before it changes the GPUs."""
DRIVER_APP: Final = "nvidia-driver-daemonset"
TOOLKIT_APP: Final = "nvidia-container-toolkit-daemonset"
MPS_CONTROL_DAEMON_APP: Final = "nvidia-device-plugin-mps-control-daemon"
PAUSED_APPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        DEVICE_PLUGIN_APP: DEPLOY_PREFIX + "device-plugin",
        FEATURE_DISCOVERY_APP: DEPLOY_PREFIX + "gpu-feature-discovery",
        DCGM_EXPORTER_APP: DEPLOY_PREFIX + "dcgm-exporter",
        DCGM_APP: DEPLOY_PREFIX + "dcgm",
    }
)
"""Apps of the operands that mig-manager pauses, with the deploy label that selects their nodes."""
DRIVER_CONTAINER: Final = "nvidia-driver-ctr"

CLUSTER_POLICY_GROUP: Final = "nvidia.com"
CLUSTER_POLICY_VERSION: Final = "v1"
CLUSTER_POLICY_PLURAL: Final = "clusterpolicies"

DEFAULT_CONFIG_MAP: Final = "default-mig-parted-config"
CONFIG_KEY: Final = "config.yaml"
"""Key of the mig-parted file in every ConfigMap that has one."""
RUNTIME_CLASS: Final = "nvidia"


def generated_config_map(node: str) -> str:
    """Return the name of the ConfigMap with the configurations that mig-manager generates for a node (from v0.14.0)."""
    return f"{node}-mig-config"


class Strategy(StrEnum):
    """How MIG devices are advertised: `spec.mig.strategy` of the ClusterPolicy, one value for the cluster."""

    NONE = "none"
    """MIG devices are not advertised; every GPU is one `nvidia.com/gpu`."""
    SINGLE = "single"
    """All MIG devices of a node have the same profile and are advertised as `nvidia.com/gpu`."""
    MIXED = "mixed"
    """Every profile is a resource of its own; whole GPUs are `nvidia.com/gpu`."""

    @property
    def other(self) -> Strategy:
        """`mixed` for `single`, and `single` for `mixed` and `none`."""
        return Strategy.MIXED if self is Strategy.SINGLE else Strategy.SINGLE


class State(StrEnum):
    """Values of `nvidia.com/mig.config.state`."""

    PENDING = "pending"
    """mig-manager is changing the geometry."""
    REBOOTING = "rebooting"
    """mig-manager reboots the node, because the change of the MIG mode needs it and WITH_REBOOT is set."""
    SUCCESS = "success"
    """The GPUs have the geometry of the configuration."""
    FAILED = "failed"
    """The configuration was refused, or the change failed."""
