"""The GPUs of one simulated node, as silicon and driver together: pure state, no clock, no input or output.

`NodeHardware` is the entry; `conformance.sim.nvml` and `conformance.sim.nvidia_smi` are the faces that programs see.
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
