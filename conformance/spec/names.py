"""Names that the suite, the simulator and the real components share, each written once.

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
"""Extended resource of a whole GPU; under strategy `single` of a MIG device."""
MIG_RESOURCE_PREFIX: Final = "nvidia.com/mig-"
"""A profile follows, with every `+` written as `.`; strategy `mixed` only."""

MIG_CONFIG: Final = "nvidia.com/mig.config"
"""Node label that names the wanted entry of the mig-parted configuration."""
MIG_CONFIG_STATE: Final = "nvidia.com/mig.config.state"
"""Node label in which mig-manager answers; see `State`."""
MIG_CAPABLE: Final = "nvidia.com/mig.capable"
MIG_STRATEGY: Final = "nvidia.com/mig.strategy"
GPU_PRODUCT: Final = "nvidia.com/gpu.product"
GPU_COUNT: Final = "nvidia.com/gpu.count"
GPU_PRESENT: Final = "nvidia.com/gpu.present"
CUDA_DRIVER_VERSION: Final = "nvidia.com/cuda.driver-version.full"
GFD_TIMESTAMP: Final = "nvidia.com/gfd.timestamp"
HOSTNAME: Final = "kubernetes.io/hostname"
INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"
SIMULATED_INSTANCE_TYPE: Final = "simulated-gpu"
"""Its value on nodes of this project's simulator, by which a run through a kubeconfig knows them."""

DEPLOY_PREFIX: Final = "nvidia.com/gpu.deploy."
"""Node labels `true`, `false` or paused, the node selectors of the operands' DaemonSets."""
DEPLOY_MIG_MANAGER: Final = DEPLOY_PREFIX + "mig-manager"
DEPLOY_CLIENT: Final = DEPLOY_PREFIX + "client"
PAUSED: Final = "paused-for-mig-change"
"""Value that mig-manager gives the deploy labels while it reconfigures."""
PAUSED_OPERANDS: Final = ("device-plugin", "gpu-feature-discovery", "dcgm-exporter", "dcgm", "nvsm")
"""Deploy labels that mig-manager pauses, in its order, without the prefix; `client` is added from v0.15.0."""

OPERATOR_NAMESPACE: Final = "gpu-operator"
"""Where Helm installs the operator by custom; discovered from ClusterPolicy `status.namespace` on a live cluster."""
MIG_MANAGER_APP: Final = "nvidia-mig-manager"
DEVICE_PLUGIN_APP: Final = "nvidia-device-plugin-daemonset"
FEATURE_DISCOVERY_APP: Final = "gpu-feature-discovery"
DCGM_APP: Final = "nvidia-dcgm"
DCGM_EXPORTER_APP: Final = "nvidia-dcgm-exporter"
VALIDATOR_APP: Final = "nvidia-operator-validator"
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
"""Operands that mig-manager pauses, with the deploy label that selects their nodes."""
DRIVER_CONTAINER: Final = "nvidia-driver-ctr"

CLUSTER_POLICY_GROUP: Final = "nvidia.com"
CLUSTER_POLICY_VERSION: Final = "v1"
CLUSTER_POLICY_PLURAL: Final = "clusterpolicies"

DEFAULT_CONFIG_MAP: Final = "default-mig-parted-config"
CONFIG_KEY: Final = "config.yaml"
"""Key of every ConfigMap that holds a mig-parted configuration."""
RUNTIME_CLASS: Final = "nvidia"


def generated_config_map(node: str) -> str:
    """Name of the ConfigMap in which mig-manager from v0.14.0 publishes what it generated for `node`."""
    return f"{node}-mig-config"


class Strategy(StrEnum):
    """How MIG devices are advertised: ClusterPolicy `spec.mig.strategy`, one value for the cluster."""

    NONE = "none"
    """MIG devices stay invisible, every GPU counts as one `nvidia.com/gpu`."""
    SINGLE = "single"
    """All GPUs of a node carry one profile, advertised as `nvidia.com/gpu`."""
    MIXED = "mixed"
    """Every profile is a resource of its own, whole GPUs stay `nvidia.com/gpu`."""

    @property
    def other(self) -> Strategy:
        """The other one of `single` and `mixed`; `single` for `none`."""
        return Strategy.MIXED if self is Strategy.SINGLE else Strategy.SINGLE


class State(StrEnum):
    """Values of `nvidia.com/mig.config.state`."""

    PENDING = "pending"
    """A change is under way."""
    REBOOTING = "rebooting"
    """The node restarts because the mode change asks for it (WITH_REBOOT)."""
    SUCCESS = "success"
    FAILED = "failed"
