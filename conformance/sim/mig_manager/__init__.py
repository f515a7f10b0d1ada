"""mig-manager: carries out on its node what the label `nvidia.com/mig.config` asks for, and answers in a label.

Behaviour: NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-manager and pkg/mig/reconfigure; the image tag selects that of
older and newer versions. Left out is what needs a driver installed on the host: its systemd services and their state
file.
"""

from conformance.sim.mig_manager.program import mig_manager

__all__ = ["mig_manager"]
