"""The GPUs and the driver of one simulated node: pure state, without clock, input or output.

The entry point is `NodeHardware`. Programs access it through `conformance.sim.nvml` and `conformance.sim.nvidia_smi`.
"""

from conformance.sim.hardware.errors import DriverError, ErrorCode, ResetRefusedError, ResetUnsupportedError
from conformance.sim.hardware.gpu import Gpu
from conformance.sim.hardware.instances import ComputeInstance, GpuInstance
from conformance.sim.hardware.node import NodeHardware

__all__ = [
    "ComputeInstance",
    "DriverError",
    "ErrorCode",
    "Gpu",
    "GpuInstance",
    "NodeHardware",
    "ResetRefusedError",
    "ResetUnsupportedError",
]
