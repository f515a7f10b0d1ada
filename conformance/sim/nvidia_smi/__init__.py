"""nvidia-smi on the simulated hardware. Where output of driver 580 was recorded, this prints the same bytes."""

from conformance.sim.nvidia_smi.program import run

__all__ = ["run"]
