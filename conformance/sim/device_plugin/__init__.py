"""The NVIDIA device plugin: advertises whole GPUs and MIG devices to the kubelet of its node.

Behaviour: NVIDIA/k8s-device-plugin v0.20.0, with what differs before it selected by the image's tag.
"""

from conformance.sim.device_plugin.program import device_plugin

__all__ = ["device_plugin"]
