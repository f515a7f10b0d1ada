"""GPU Feature Discovery: node labels for GPUs and MIG devices, through Node Feature Discovery.

Behaviour: NVIDIA/k8s-device-plugin v0.20.0, whose image contains this program.
"""

from conformance.sim.feature_discovery.program import feature_discovery

__all__ = ["feature_discovery"]
