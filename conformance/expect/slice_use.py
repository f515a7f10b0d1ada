"""D-20, D-27: what a process on MIG devices can do, asked of the CUDA driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.observed import ObservedGpu, ObservedInstance

OUT_OF_MEMORY: Final = 2
"""CUDA_ERROR_OUT_OF_MEMORY"""
_LEAST: Final = Fraction(8, 10)
"""CUDA reports somewhat less than the framebuffer of the instance; less than this share is another device."""


@dataclass(frozen=True)
class SliceUse:
    """What a process in a pod found.

    Attributes:
        pod: Name of the pod.
        answer: What `conformance/probe/use.py` printed; empty if it printed no JSON.
        said: The end of its log, for messages.
        asked: UUIDs of the MIG devices that other pods held, all of which it tried to reach.
        gpus: The GPUs of the node as NVML describes them.
    """

    pod: str
    answer: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""
    asked: tuple[str, ...] = ()
    gpus: tuple[ObservedGpu, ...] = ()

    @property
    def devices(self) -> Sequence[Mapping[str, Any]]:
        """The CUDA devices that the process found."""
        return tuple(self.answer.get("devices", ()))


def check_bounded(context: CheckContext, seen: SliceUse) -> None:
    """Check that each device of the process is a MIG device of the node with its figures, and gives no more memory.

    Raises:
        ConformanceError: The process found no device, one of other size, or got more memory than the device has.
    """
    wrong = [text for device in seen.devices for text in _wrong(device, seen.gpus)]
    if wrong or not seen.devices:
        expected = ("MIG devices of the node with the figures of their profile, and no memory beyond that",)
        raise ConformanceError(context, f"CUDA in pod {seen.pod}", Finding(expected, tuple(wrong) or (seen.said,)))


def check_unreachable(context: CheckContext, seen: SliceUse) -> None:
    """Check that the process reached none of the devices of others, at least one of which is on a GPU of its own.

    Raises:
        ConformanceError: A device was reached, or none of those that were tried shares a GPU with the process.
    """
    own = {device["uuid"] for device in seen.devices}
    shared = [uuid for gpu in seen.gpus for uuid in _neighbours(gpu, own) if uuid in seen.asked]
    reached = tuple(f"reached {uuid}" for uuid in seen.answer.get("reached", ()) if uuid in seen.asked)
    if reached or not shared:
        expected = (f"no access to {len(seen.asked)} devices of other pods, some of them on the same GPU",)
        found = reached or (f"no device of another pod on the GPU of {', '.join(sorted(own)) or 'no device'}",)
        raise ConformanceError(context, f"CUDA in pod {seen.pod}", Finding(expected, found))


def check_no_peers(context: CheckContext, seen: SliceUse) -> None:
    """D-27: check that no two devices of the process can access each other's memory.

    Raises:
        ConformanceError: The driver offers access between two devices, or the process found none.
    """
    devices = seen.devices
    pairs = [f"{devices[a]['uuid']} can access {devices[b]['uuid']}" for a, b in seen.answer.get("peers", ())]
    if pairs or not devices:
        expected = ("no access between MIG devices",)
        raise ConformanceError(context, f"CUDA in pod {seen.pod}", Finding(expected, tuple(pairs) or (seen.said,)))


def _wrong(device: Mapping[str, Any], gpus: Sequence[ObservedGpu]) -> Iterator[str]:
    uuid = device["uuid"]
    instance = next((one for gpu in gpus for one in gpu.instances if one.uuid == uuid), None)
    if instance is None:
        yield f"{uuid}: no MIG device of the node"
        return
    yield from _wrong_figures(device, instance)
    if device["too_much"] != OUT_OF_MEMORY:
        yield f"{uuid}: more memory than it has gives error {device['too_much']}, not {OUT_OF_MEMORY} (out of memory)"
    if device["fits"]:
        yield f"{uuid}: 16 MiB give error {device['fits']}"


def _wrong_figures(device: Mapping[str, Any], instance: ObservedInstance) -> Iterator[str]:
    memory, processors = device["memory_mib"], device["multiprocessors"]
    if instance.memory_mib is not None and not _LEAST * instance.memory_mib <= memory <= instance.memory_mib:
        yield f"{instance.uuid}: {memory} MiB, but {instance.profile} has {instance.memory_mib}"
    if instance.multiprocessors is not None and processors != instance.multiprocessors:
        yield f"{instance.uuid}: {processors} SMs, but {instance.profile} has {instance.multiprocessors}"


def _neighbours(gpu: ObservedGpu, own: set[str]) -> list[str]:
    uuids = {instance.uuid for instance in gpu.instances}
    return sorted(uuids - own) if uuids & own else []
