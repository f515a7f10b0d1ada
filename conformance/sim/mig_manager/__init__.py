"""mig-manager: applies the configuration in the node label `nvidia.com/mig.config`, and reports its state in a label.

Behaviour: NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-manager and pkg/mig/reconfigure; the image tag selects the
behaviour of other versions. Not simulated is what needs a driver installed on the host: systemd services and their
state file.
"""

from conformance.sim.mig_manager.program import mig_manager

__all__ = ["mig_manager"]
