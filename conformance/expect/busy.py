"""D-13, D-17: a configuration is requested while a process uses a GPU or one of its MIG devices.

Source: NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-parted/apply: the driver refuses to destroy an instance or to reset a
GPU that is in use; nobody drains the node (gpu-operator issue 262).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.observed import ObservedGpu
from conformance.expect.scheduling import StartedPod

_RUNNING: Final = "Running"


@dataclass(frozen=True)
class Holder:
    """A pod that keeps a device busy.

    Attributes:
        device: UUID of the GPU or MIG device that it computes on, without `GPU-` or `MIG-`; empty if it got none.
        pod: The pod after the request.
        restarts: How often its container was restarted by then.
    """

    device: str
    pod: StartedPod
    restarts: int


def check_holder_unharmed(context: CheckContext, holder: Holder, gpus: Sequence[ObservedGpu]) -> None:
    """Check that the pod still runs, and that the device that it computes on is still there.

    Args:
        context: Node and state that the check is about.
        holder: The pod.
        gpus: The GPUs after the request.

    Raises:
        ConformanceError: The pod ended or was restarted, or its device is gone.
    """
    pod, devices = holder.pod, {uuid.partition("-")[2] for gpu in gpus for uuid in _uuids(gpu)}
    there = "its device is there" if holder.device in devices else f"its device {holder.device or 'unknown'} is gone"
    found = (f"pod {pod.name} {pod.phase}, {holder.restarts} restarts", there)
    expected = (f"pod {pod.name} {_RUNNING}, 0 restarts", "its device is there")
    if found != expected:
        likely = "a device was taken from a process that uses it: the driver must refuse that"
        raise ConformanceError(context, "pod on a busy device", Finding(expected, found), (likely, pod.message or ""))


def check_not_booted(context: CheckContext, boots: Sequence[str]) -> None:
    """Check that the node was not rebooted: without WITH_REBOOT nobody may do that.

    Raises:
        ConformanceError: It has another boot id.
    """
    if boots:
        found = tuple(f"boot id {boot}" for boot in boots)
        raise ConformanceError(context, "boots", Finding(("the boot id of before",), found))


def _uuids(gpu: ObservedGpu) -> list[str]:
    return [device.uuid for device in gpu.instances] if gpu.mode else [gpu.uuid]
