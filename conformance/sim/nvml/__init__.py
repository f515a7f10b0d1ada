"""NVML over the simulated hardware, spoken as the module `pynvml` (nvidia-ml-py 13) speaks it."""

from conformance.sim.nvml.face import Nvml

__all__ = ["Nvml"]
