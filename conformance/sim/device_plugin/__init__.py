"""The NVIDIA device plugin: advertises whole GPUs and MIG devices to the kubelet of its node.

Behaviour: NVIDIA/k8s-device-plugin v0.20.0, for older versions, the tag of the image selects the differences.
"""

from conformance.sim.device_plugin.program import device_plugin

__all__ = ["device_plugin"]
