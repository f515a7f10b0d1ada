"""NVML for the simulated hardware, with the interface of the module `pynvml` (nvidia-ml-py 13)."""

from conformance.sim.nvml.face import Nvml

__all__ = ["Nvml"]
