"""nvidia-mig-parted: configures the GPUs of a node as a configuration file describes.

Like the real program it only uses NVML (and `nvidia-smi -r`) and has no table of capacities: the driver decides what
fits.
"""

from conformance.sim.mig_parted.command import run
from conformance.sim.mig_parted.generating import NoProfilesError, generate
from conformance.sim.mig_parted.output import MigPartedError, Output, Result

__all__ = ["MigPartedError", "NoProfilesError", "Output", "Result", "generate", "run"]
