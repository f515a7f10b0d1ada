"""D-18, D-20: what `nvidia-smi -L` prints on the node and in a container, and that no device is handed out twice.

Source: k8s-device-plugin v0.20.0, internal/rm and internal/plugin; the format as NVIDIA driver 580 prints it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.expect.compare import compare_mappings
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.geometry import WantedGpu
from conformance.expect.hardware import deviations
from conformance.expect.observed import ListedGpu, ObservedGpu, ObservedInstance
from conformance.expect.scheduling import StartedPod, check_run
from conformance.spec.profile import Profile


@dataclass(frozen=True)
class DeviceUser:
    """A pod that asked for one device, and what it saw from inside.

    Attributes:
        pod: The pod, once it ran.
        resource: What it asked for.
        listing: The GPUs as `nvidia-smi -L` lists them in the container; None where none of its containers ever ran.
        gpus: The GPUs as NVML describes them in the container.
    """

    pod: StartedPod
    resource: str
    listing: tuple[ListedGpu, ...] | None = None
    gpus: tuple[ObservedGpu, ...] = ()

    @property
    def uuids(self) -> list[str]:
        """UUIDs of everything that the container may use: its MIG devices, or the GPU where it has none."""
        return [uuid for gpu in self.listing or () for uuid in ([it.uuid for it in gpu.devices] or [gpu.uuid])]


def check_slice_users(
    context: CheckContext,
    users: Sequence[DeviceUser],
    on_node: Sequence[ObservedGpu],
    profile_of: Callable[[str], Profile | None],
) -> None:
    """Check that every pod runs and has exactly one MIG device of the node, of the profile and size it asked for.

    NVML and `nvidia-smi -L` must show the container the same.

    Args:
        context: Where.
        users: Pods that asked for one device each.
        on_node: The GPUs of the node.
        profile_of: Profile that a resource stands for; None where any profile of the node is right.

    Raises:
        ConformanceError: A pod does not run, or sees something else.
    """
    profiles = {instance.uuid: instance.profile for gpu in on_node for instance in gpu.instances}
    for user in users:
        listing = _listing(context, user)
        check_one_device(context, listing, profiles, profile_of(user.resource))
        check_same_devices(context, listing, user.gpus)
        check_size(context, user.gpus, on_node)


def check_gpu_users(context: CheckContext, users: Sequence[DeviceUser], on_node: Sequence[ObservedGpu]) -> None:
    """Check that every pod runs and has exactly one whole GPU of the node.

    Raises:
        ConformanceError: A pod does not run, or sees something else.
    """
    for user in users:
        listing = _listing(context, user)
        check_whole_gpu(context, listing, [gpu.uuid for gpu in on_node])
        check_same_devices(context, listing, user.gpus)


def check_neighbours(context: CheckContext, users: Sequence[DeviceUser]) -> None:
    """Check that no two pods that run at the same time hold the same device.

    Raises:
        ConformanceError: A pod does not run, or a device is in more than one; the pods are named.
    """
    for user in users:
        _listing(context, user)
    check_not_shared(context, {user.pod.name: user.uuids for user in users})


def _listing(context: CheckContext, user: DeviceUser) -> tuple[ListedGpu, ...]:
    if user.listing is None:
        check_run(context, [user.pod])
    return user.listing or ()


def check_device_list(context: CheckContext, listed: Sequence[ListedGpu], wanted: Sequence[WantedGpu]) -> None:
    """Check that the node's list has every GPU, and below each one line a MIG device, numbered from 0.

    Raises:
        ConformanceError: A GPU differs, or stands there twice, or a UUID does.
    """
    expected = {f"GPU {gpu.index}": _wanted_lines(gpu) for gpu in wanted}
    found = {f"GPU {gpu.index}": _listed_lines(gpu) for gpu in listed}
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(context, "nvidia-smi -L", finding, _not_applied(listed, wanted))
    check_unique(context, [uuid for gpu in listed for uuid in (gpu.uuid, *(device.uuid for device in gpu.devices))])


def check_unique(context: CheckContext, uuids: Sequence[str]) -> None:
    """Check that no UUID occurs twice, on one node or over several.

    Raises:
        ConformanceError: Some do.
    """
    doubled = tuple(f"{uuid} ({count} times)" for uuid, count in sorted(Counter(uuids).items()) if count > 1)
    if doubled:
        raise ConformanceError(context, "UUIDs", Finding(("each once",), doubled))


def check_same_devices(context: CheckContext, listed: Sequence[ListedGpu], gpus: Sequence[ObservedGpu]) -> None:
    """Check that `nvidia-smi -L` and NVML speak of the same GPUs, with the same MIG devices below each in one order.

    Raises:
        ConformanceError: A name, profile or UUID differs; only lines that do are shown.
    """
    expected = {
        line: text
        for gpu in gpus
        for line, text in _lines(gpu.index, gpu.name, gpu.uuid, [(str(it.profile), it.uuid) for it in gpu.instances])
    }
    found = {
        line: text
        for gpu in listed
        for line, text in _lines(gpu.index, gpu.name, gpu.uuid, [(it.profile, it.uuid) for it in gpu.devices])
    }
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(context, "nvidia-smi -L beside NVML", finding)


def check_one_device(
    context: CheckContext, seen: Sequence[ListedGpu], on_node: Mapping[str, Profile], profile: Profile | None = None
) -> None:
    """Check that a container which asked for one MIG device sees that one and nothing else.

    Args:
        context: Where.
        seen: What `nvidia-smi -L` printed in the container.
        on_node: UUID to profile of every MIG device of the node.
        profile: What it asked for; None under `single`, where any profile of the node is right.

    Raises:
        ConformanceError: There is no device or more than one, it is not of the node, or of another profile.
    """
    devices = [device for gpu in seen for device in gpu.devices]
    whole = [gpu for gpu in seen if not gpu.devices]
    found = tuple(_in_container(seen)) or ("no GPU",)
    wanted = f"one MIG device of profile {profile}" if profile else "one MIG device"
    if len(devices) != 1 or whole:
        raise ConformanceError(context, "devices in a pod", Finding((wanted,), found), _too_much(seen))
    (device,) = devices
    if device.uuid not in on_node:
        raise ConformanceError(context, "devices in a pod", Finding(("a MIG device of the node",), found))
    if device.profile != str(profile or on_node[device.uuid]) or device.profile != str(on_node[device.uuid]):
        raise ConformanceError(context, "devices in a pod", Finding((wanted,), found))


def check_whole_gpu(context: CheckContext, seen: Sequence[ListedGpu], on_node: Sequence[str]) -> None:
    """Check that a container which asked for one whole GPU sees one GPU of the node, without MIG devices.

    Raises:
        ConformanceError: It sees something else.
    """
    if [gpu.uuid in on_node and not gpu.devices for gpu in seen] != [True]:
        found = tuple(_in_container(seen)) or ("no GPU",)
        raise ConformanceError(context, "devices in a pod", Finding(("one whole GPU of the node",), found))


def check_size(context: CheckContext, seen: Sequence[ObservedGpu], on_node: Sequence[ObservedGpu] = ()) -> None:
    """Check that the MIG device in a container has the slices, memory, multiprocessors and engines of its profile.

    Args:
        context: Where.
        seen: The GPUs as NVML describes them in the container, where it may not know their whole memory.
        on_node: The GPUs of the node; a device must be in the container what it is there.

    Raises:
        ConformanceError: It has not; every figure that differs is named.
    """
    known = {instance.uuid: instance for gpu in on_node for instance in gpu.instances}
    wrong = [
        text
        for gpu in seen
        for it in gpu.instances
        for text in (*deviations(gpu, it), *_changed(it, known.get(it.uuid, it)))
    ]
    if wrong:
        raise ConformanceError(context, "device in a pod", Finding(("the size of its profile",), tuple(wrong)))


def check_not_shared(context: CheckContext, held: Mapping[str, Sequence[str]]) -> None:
    """Check that no two pods hold the same device.

    Args:
        context: Where.
        held: Name of a pod to the UUIDs it sees, of pods that ran at the same time.

    Raises:
        ConformanceError: A device is in more than one pod; the pods are named.
    """
    holders: dict[str, list[str]] = {}
    for pod, uuids in sorted(held.items()):
        for uuid in uuids:
            holders.setdefault(uuid, []).append(pod)
    shared = tuple(f"{uuid} in {' and '.join(pods)}" for uuid, pods in sorted(holders.items()) if len(pods) > 1)
    if shared:
        raise ConformanceError(context, "devices of all pods", Finding(("each in one pod",), shared))


def _lines(index: int, name: str, uuid: str, devices: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (f"GPU {index}", f"{name} {uuid}"),
        *((f"GPU {index} Device {at}", " ".join(device)) for at, device in enumerate(devices)),
    ]


def _changed(seen: ObservedInstance, on_node: ObservedInstance) -> Iterator[str]:
    for figure in ("memory_mib", "multiprocessors", "gpu_slices", "compute_slices", "engines"):
        here, there = getattr(seen, figure), getattr(on_node, figure)
        if None not in (here, there) and here != there:
            yield f"{seen.profile}: {figure.replace('_mib', ' MiB').replace('_', ' ')} {here}, {there} on the node"


def _wanted_lines(gpu: WantedGpu) -> str:
    return _counted({str(profile): count for profile, count in gpu.instances.items()}, sum(gpu.instances.values()))


def _listed_lines(gpu: ListedGpu) -> str:
    numbered = [device.index for device in gpu.devices] == list(range(len(gpu.devices)))
    counted = _counted(Counter(device.profile for device in gpu.devices), len(gpu.devices))
    return counted if numbered else f"{counted}, numbered {[device.index for device in gpu.devices]}"


def _counted(profiles: Mapping[str, int], total: int) -> str:
    listed = ", ".join(f"{count} x MIG {profile}" for profile, count in sorted(profiles.items()))
    return f"{total} MIG lines" + (f": {listed}" if listed else "")


def _in_container(seen: Sequence[ListedGpu]) -> list[str]:
    return [
        line
        for gpu in seen
        for line in ([f"MIG {it.profile} {it.uuid}" for it in gpu.devices] or [f"GPU {gpu.uuid} without MIG devices"])
    ]


def _not_applied(listed: Sequence[ListedGpu], wanted: Sequence[WantedGpu]) -> list[str]:
    if any(gpu.instances for gpu in wanted) and not any(gpu.devices for gpu in listed):
        return ["the geometry was not applied: there are GPU lines without a MIG line"]
    return []


def _too_much(seen: Sequence[ListedGpu]) -> list[str]:
    if any(not gpu.devices for gpu in seen):
        return ["the whole GPU was handed out in place of a MIG device"]
    return ["more devices were handed out than asked for"] if seen else []
