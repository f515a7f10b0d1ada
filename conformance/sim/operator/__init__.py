"""The GPU Operator: its installation, the manifests of its operands, and its controller."""

from conformance.sim.operator.controller import Operator
from conformance.sim.operator.install import Installation, install, uninstall
from conformance.sim.operator.program import gpu_operator

__all__ = ["Installation", "Operator", "gpu_operator", "install", "uninstall"]
