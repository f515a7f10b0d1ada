"""nvidia-smi on the simulated hardware, byte for byte as driver 580 prints where that was recorded."""

from conformance.sim.nvidia_smi.program import run

__all__ = ["run"]
