"""D-18, D-20: the devices that each pod gets, as `nvidia-smi -L` and NVML show them in its containers.

Source: k8s-device-plugin v0.20.0, internal/rm and internal/plugin; output format of NVIDIA driver 580.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.hardware import deviations
from conformance.expect.listings import check_same_devices
from conformance.expect.observed import ListedGpu, ObservedGpu, ObservedInstance
from conformance.expect.scheduling import StartedPod, check_run
from conformance.spec.names import GPU_RESOURCE, Strategy
from conformance.spec.profile import Profile
from conformance.wording import counted


@dataclass(frozen=True)
class DeviceUser:
    """A pod that requested one device, and what its containers see.

    Attributes:
        pod: The pod after the time that it had to start.
        resource: Name of the requested resource.
        listing: The GPUs that `nvidia-smi -L` lists in an init container; None if no container of the pod ever ran.
        gpus: The GPUs that NVML reports in an init container.
        held: The GPUs that `nvidia-smi -L` lists in the container that holds the device; None if it never ran.
    """

    pod: StartedPod
    resource: str
    listing: tuple[ListedGpu, ...] | None = None
    gpus: tuple[ObservedGpu, ...] = ()
    held: tuple[ListedGpu, ...] | None = None

    @property
    def uuids(self) -> list[str]:
        """UUIDs of all devices in any container: the MIG devices, and GPUs that are listed without MIG devices."""
        gpus = (*(self.listing or ()), *(self.held or ()))
        return list(dict.fromkeys(uuid for gpu in gpus for uuid in ([it.uuid for it in gpu.devices] or [gpu.uuid])))


def check_slice_users(
    context: CheckContext,
    users: Sequence[DeviceUser],
    on_node: Sequence[ObservedGpu],
    profile_of: Callable[[str], Profile | None],
) -> None:
    """Check that every pod runs and has exactly one device of the node in all its containers.

    It is a MIG device of the requested profile with its size, or a whole GPU where `nvidia.com/gpu` stands for one.
    NVML and `nvidia-smi -L` must agree in the containers.

    Args:
        context: Node and state that the check is about.
        users: Pods that requested one device each.
        on_node: The GPUs of the node.
        profile_of: Returns the profile that a resource stands for; None if any profile of the node is right.

    Raises:
        ConformanceError: A pod does not run, or sees other devices.
    """
    profiles = {instance.uuid: instance.profile for gpu in on_node for instance in gpu.instances}
    for user in users:
        if user.resource == GPU_RESOURCE and context.strategy is Strategy.MIXED:
            check_gpu_users(context, [user], [gpu for gpu in on_node if not gpu.mode])
            continue
        listing = _listing(context, user)
        check_one_device(context, listing, profiles, profile_of(user.resource))
        check_same_devices(context, listing, user.gpus)
        check_size(context, user.gpus, on_node)
        _check_holds(context, user)


def check_gpu_users(context: CheckContext, users: Sequence[DeviceUser], on_node: Sequence[ObservedGpu]) -> None:
    """Check that every pod runs and has exactly one whole GPU of the node.

    Raises:
        ConformanceError: A pod does not run, or sees other devices.
    """
    for user in users:
        listing = _listing(context, user)
        check_whole_gpu(context, listing, [gpu.uuid for gpu in on_node])
        check_same_devices(context, listing, user.gpus)
        _check_holds(context, user)


def check_neighbours(context: CheckContext, users: Sequence[DeviceUser]) -> None:
    """Check that pods which run at the same time share no device.

    Raises:
        ConformanceError: A pod does not run, or two pods have the same device; the message names them.
    """
    for user in users:
        _listing(context, user)
    check_not_shared(context, {user.pod.name: user.uuids for user in users})


def check_all_taken(
    context: CheckContext, users: Sequence[DeviceUser], gpus: Sequence[ObservedGpu], resource: str, count: int
) -> None:
    """Check that pods which run at the same time hold all devices of a resource, each of them once.

    Raises:
        ConformanceError: A pod does not run, a device is held twice or is none of the node's, or the count differs.
    """
    check_neighbours(context, users)
    held = sorted(uuid for user in users for uuid in user.uuids)
    known = {device.uuid for gpu in gpus for device in gpu.instances}
    strange = tuple(f"{uuid} is no MIG device of the node" for uuid in held if uuid not in known)
    if strange or len(held) != count:
        found = (counted(len(held), "device"), *strange)
        raise ConformanceError(context, f"devices of {resource} in use", Finding((counted(count, "device"),), found))


def _listing(context: CheckContext, user: DeviceUser) -> tuple[ListedGpu, ...]:
    if user.listing is None:
        check_run(context, [user.pod])
    return user.listing or ()


def _check_holds(context: CheckContext, user: DeviceUser) -> None:
    """Check that the pod runs, and that the container which holds the device sees what the init containers saw."""
    expected, found = (tuple(_in_container(seen or ())) or ("no GPU",) for seen in (user.listing, user.held))
    if user.held is not None and expected != found:
        subject = f"devices in the container of pod {user.pod.name} that holds them"
        raise ConformanceError(context, subject, Finding(expected, found), _wrong_allocation(user.held))
    check_run(context, [user.pod])


def check_one_device(
    context: CheckContext, seen: Sequence[ListedGpu], on_node: Mapping[str, Profile], profile: Profile | None = None
) -> None:
    """Check that a container which requested one MIG device sees exactly one, and no GPU without MIG devices.

    Args:
        context: Node and state that the check is about.
        seen: The GPUs that `nvidia-smi -L` lists in the container.
        on_node: UUID to profile of every MIG device of the node.
        profile: The requested profile; None under `single`, where any profile of the node is right.

    Raises:
        ConformanceError: The container sees no device, several, a device that is not one of the node's, or one with
            another profile.
    """
    devices = [device for gpu in seen for device in gpu.devices]
    whole = [gpu for gpu in seen if not gpu.devices]
    found = tuple(_in_container(seen)) or ("no GPU",)
    wanted = f"one MIG device of profile {profile}" if profile else "one MIG device"
    if len(devices) != 1 or whole:
        raise ConformanceError(context, "devices in a pod", Finding((wanted,), found), _wrong_allocation(seen))
    (device,) = devices
    if device.uuid not in on_node:
        raise ConformanceError(context, "devices in a pod", Finding(("a MIG device of the node",), found))
    if device.profile != str(profile or on_node[device.uuid]) or device.profile != str(on_node[device.uuid]):
        raise ConformanceError(context, "devices in a pod", Finding((wanted,), found))


def check_whole_gpu(context: CheckContext, seen: Sequence[ListedGpu], on_node: Sequence[str]) -> None:
    """Check that a container which requested one whole GPU sees exactly one GPU of the node, without MIG devices.

    Raises:
        ConformanceError: The container sees other devices.
    """
    if [gpu.uuid in on_node and not gpu.devices for gpu in seen] != [True]:
        found = tuple(_in_container(seen)) or ("no GPU",)
        raise ConformanceError(context, "devices in a pod", Finding(("one whole GPU of the node",), found))


def check_size(context: CheckContext, seen: Sequence[ObservedGpu], on_node: Sequence[ObservedGpu] = ()) -> None:
    """Check that the MIG devices in a container have the slices, memory, multiprocessors and engines of their profiles.

    Args:
        context: Node and state that the check is about.
        seen: The GPUs that NVML reports in the container. NVML may hide their total memory there.
        on_node: The GPUs of the node; a device must have the same figures in the container as on the node.

    Raises:
        ConformanceError: A figure differs; the message lists all of them.
    """
    known = {instance.uuid: instance for gpu in on_node for instance in gpu.instances}
    wrong = [
        text
        for gpu in seen
        for it in gpu.instances
        for text in (*deviations(gpu, it), *_changed(it, known.get(it.uuid, it)))
    ]
    if wrong:
        raise ConformanceError(context, "device in a pod", Finding(("the figures of its profile",), tuple(wrong)))


def check_not_shared(context: CheckContext, held: Mapping[str, Sequence[str]]) -> None:
    """Check that no two pods have the same device.

    Args:
        context: Node and state that the check is about.
        held: Pod name to the UUIDs in its container, for pods that ran at the same time.

    Raises:
        ConformanceError: A device is in more than one pod; the message names them.
    """
    holders: dict[str, list[str]] = {}
    for pod, uuids in sorted(held.items()):
        for uuid in uuids:
            holders.setdefault(uuid, []).append(pod)
    shared = tuple(f"{uuid} in {' and '.join(pods)}" for uuid, pods in sorted(holders.items()) if len(pods) > 1)
    if shared:
        raise ConformanceError(context, "devices of all pods", Finding(("each device in one pod only",), shared))


def _changed(seen: ObservedInstance, on_node: ObservedInstance) -> Iterator[str]:
    for figure in ("memory_mib", "multiprocessors", "gpu_slices", "compute_slices", "engines"):
        here, there = getattr(seen, figure), getattr(on_node, figure)
        if None not in (here, there) and here != there:
            yield f"{seen.profile}: {figure.replace('_mib', ' MiB').replace('_', ' ')} {here}, {there} on the node"


def _in_container(seen: Sequence[ListedGpu]) -> list[str]:
    return [
        line
        for gpu in seen
        for line in ([f"MIG {it.profile} {it.uuid}" for it in gpu.devices] or [f"GPU {gpu.uuid} without MIG devices"])
    ]


def _wrong_allocation(seen: Sequence[ListedGpu]) -> list[str]:
    if any(not gpu.devices for gpu in seen):
        return ["the container got the whole GPU instead of a MIG device"]
    return ["the container got more devices than it requested"] if seen else []
