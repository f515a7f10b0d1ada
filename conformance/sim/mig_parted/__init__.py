"""nvidia-mig-parted: brings the GPUs of a node into the state that an entry of a configuration file describes.

It works through the face of pynvml (and `nvidia-smi -r`) alone, as the real program does, and knows no capacities:
the driver is the only judge of what fits.
"""

from conformance.sim.mig_parted.command import run
from conformance.sim.mig_parted.generating import NoProfilesError, generate
from conformance.sim.mig_parted.output import MigPartedError, Output, Result

__all__ = ["MigPartedError", "NoProfilesError", "Output", "Result", "generate", "run"]
