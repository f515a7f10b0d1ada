"""The table of what containers run in a simulated cluster."""

from __future__ import annotations

from conformance.sim.device_plugin import device_plugin
from conformance.sim.feature_discovery import feature_discovery
from conformance.sim.kubelet.programs import Programs
from conformance.sim.mig_manager import mig_manager
from conformance.sim.operands import COMMANDS, vector_add
from conformance.sim.validator import validator


def programs() -> Programs:
    """Return every program: the operands by command, and those images by name that need none."""
    commands = {
        "nvidia-mig-manager": mig_manager,
        "nvidia-device-plugin": device_plugin,
        "gpu-feature-discovery": feature_discovery,
        "nvidia-validator": validator,
    }
    images = {
        "k8s-mig-manager": mig_manager,
        "k8s-device-plugin": device_plugin,
        "cuda-sample": vector_add,
    }
    return Programs(images, {**COMMANDS, **commands})
