"""The GPU Operator: its CRDs and data, what it deploys for a ClusterPolicy, and its controller."""

from conformance.sim.operator.controller import Operator
from conformance.sim.operator.install import Installation, install, uninstall

__all__ = ["Installation", "Operator", "install", "uninstall"]
