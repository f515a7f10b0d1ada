"""The GPU Operator: its installation, the manifests of its operands, and its controller."""

from conformance.sim.operator.controller import Operator
from conformance.sim.operator.install import Installation, install, uninstall

__all__ = ["Installation", "Operator", "install", "uninstall"]
