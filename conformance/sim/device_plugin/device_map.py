"""The device map: advertised devices by resource name.

Source: NVIDIA/k8s-device-plugin v0.20.0, internal/rm/device_map.go and rm.go; before v0.20.0 a profile matched if
its name was a substring of the name of the MIG device (api/config/v1/resources.go, commit 0dfdfb97).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from conformance.sim.device_plugin.inventory import Gpu, MigDevice
from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.sharing import Shared, Sharing
from conformance.sim.faults import Faults
from conformance.spec import names
from conformance.spec.names import Strategy
from conformance.spec.profile import Profile

_WALK: Final = (
    "error visiting devices: error visiting device: error visiting device: "
    "error visiting MIG device: error visiting MIG device: "
)
"""Prefix of errors while the real program visits MIG devices."""


class DeviceMapError(Exception):
    """The geometry cannot be advertised; the message is the last part of the log line."""


@dataclass(frozen=True)
class AdvertisedDevice:
    """One advertised device.

    Attributes:
        id: The UUID; `::<replica>` is appended if the device is shared.
        uuid: UUID of the GPU or MIG device.
        index: NVML index: `<gpu>`, or `<gpu>:<mig>` for a MIG device.
        gpu: UUID of the GPU, for a MIG device of its parent.
        numa: NUMA node of the GPU; None if unknown.
        nodes: Device files.
    """

    id: str
    uuid: str
    index: str
    gpu: str
    numa: int | None
    nodes: tuple[str, ...]

    @property
    def is_mig(self) -> bool:
        """Whether it is a MIG device."""
        return ":" in self.index

    @property
    def is_replica(self) -> bool:
        """Whether the device is shared."""
        return self.id != self.uuid


DeviceMap = Mapping[str, Sequence[AdvertisedDevice]]


def build_device_map(
    gpus: Sequence[Gpu], strategy: Strategy, sharing: Sharing, *, whole_names: bool, faults: Faults, log: Klog
) -> DeviceMap:
    """Group the devices of a node by resource name; names without devices are omitted.

    Args:
        gpus: All GPUs.
        strategy: MIG strategy.
        sharing: Sharing of resources.
        whole_names: Whether a profile must match exactly (from v0.20.0) or may be a substring of the device's profile.
        faults: The faults that are switched on.
        log: Log for warnings about GPUs without MIG devices with strategy `mixed`.

    Raises:
        DeviceMapError: The geometry does not fit the strategy; the process ends with exit code 1.
    """
    if strategy is Strategy.SINGLE and faults.on("plugin-ignores-strategy"):
        strategy = Strategy.MIXED
    if strategy is Strategy.NONE and faults.on("plugin-knows-no-none"):
        strategy = Strategy.MIXED
    found = _sorted(_whole_gpus(gpus, strategy, faults))
    if strategy is not Strategy.NONE:
        mig = _sorted(_mig_devices(gpus, strategy, whole_names, faults))
        if strategy is Strategy.MIXED:
            _warn_of_empty(gpus, log)
        elif not faults.on("plugin-tolerates-mixture"):
            _check_uniform(gpus, found, mig)
        found = {name: [*found.get(name, ()), *mig.get(name, ())] for name in (*found, *mig)}
    return _replicate(found, sharing)


def _whole_gpus(gpus: Sequence[Gpu], strategy: Strategy, faults: Faults) -> Iterator[tuple[str, AdvertisedDevice]]:
    with_mig = strategy is Strategy.NONE or (strategy is Strategy.MIXED and faults.on("plugin-adds-whole-gpus"))
    for gpu in gpus:
        if not gpu.mig_enabled or with_mig:
            node = f"/dev/nvidia{gpu.minor}"
            yield names.GPU_RESOURCE, AdvertisedDevice(gpu.uuid, gpu.uuid, str(gpu.index), gpu.uuid, gpu.numa, (node,))


def _mig_devices(
    gpus: Sequence[Gpu], strategy: Strategy, whole_names: bool, faults: Faults
) -> Iterator[tuple[str, AdvertisedDevice]]:
    offered = list(dict.fromkeys(profile for gpu in gpus for profile in gpu.offered))
    for gpu in gpus:
        for device in gpu.devices:
            if strategy is Strategy.SINGLE:
                yield names.GPU_RESOURCE, _advertised(gpu, device)
            else:
                profile = _matching(device.profile, offered, whole_names)
                yield _resource(profile, faults), _advertised(gpu, device)


def _matching(profile: Profile, offered: Sequence[Profile], whole_names: bool) -> Profile:
    for pattern in offered:
        if pattern == profile or (not whole_names and str(pattern) in str(profile)):
            return pattern
    raise DeviceMapError(
        f"error building MIG device map: {_WALK}MIG profile '{profile}' does not match any resource patterns"
    )


def _resource(profile: Profile, faults: Faults) -> str:
    if faults.on("plugin-wrong-resource"):
        return f"{names.MIG_RESOURCE_PREFIX}{profile.gpu_slices}g"
    return profile.resource


def _advertised(gpu: Gpu, device: MigDevice) -> AdvertisedDevice:
    nodes = (f"/dev/nvidia{gpu.minor}", *(f"/dev/nvidia-caps/nvidia-cap{cap}" for cap in _capabilities(gpu, device)))
    return AdvertisedDevice(device.uuid, device.uuid, f"{gpu.index}:{device.index}", gpu.uuid, gpu.numa, nodes)


def _capabilities(gpu: Gpu, device: MigDevice) -> tuple[int, int]:
    """Return the minor numbers of the capabilities of GPU instance and compute instance.

    Source: MIG User Guide, "Device Nodes and Capabilities" (/proc/driver/nvidia-caps/mig-minors): config 1, monitor 2,
    then for each GPU 15 GPU instances with one number for the instance and eight for its compute instances.
    """
    of_instance = 1 + 8
    instance = 3 + of_instance * (15 * gpu.minor + device.gpu_instance)
    return instance, instance + 1 + device.compute_instance


def _check_uniform(gpus: Sequence[Gpu], whole: DeviceMap, mig: DeviceMap) -> None:
    before = "invalid MIG configuration: "
    for gpu in gpus:
        if gpu.mig_enabled and not gpu.devices:
            raise DeviceMapError(
                f"{before}at least one device with migEnabled=true was not configured correctly: "
                f"error visiting device: device {gpu.index} has no MIG devices configured"
            )
    if len({device.attributes for gpu in gpus for device in gpu.devices}) > 1:
        raise DeviceMapError(f"{before}{_WALK}more than one MIG device type present on node")
    if whole and mig:
        raise DeviceMapError("all devices on the node must be configured with the same migEnabled value")


def _warn_of_empty(gpus: Sequence[Gpu], log: Klog) -> None:
    for gpu in gpus:
        if gpu.mig_enabled and not gpu.devices:
            log.warning("device_map.go:174", f"device {gpu.index} has no MIG devices configured")


def _replicate(found: DeviceMap, sharing: Sharing) -> DeviceMap:
    result: dict[str, list[AdvertisedDevice]] = {}
    for name, devices in found.items():
        shared = sharing.of(name)
        target = (shared and shared.rename) or name
        result.setdefault(target, []).extend(_replicas(devices, shared) if shared else devices)
    return result


def _replicas(devices: Sequence[AdvertisedDevice], shared: Shared) -> Iterator[AdvertisedDevice]:
    for device in devices:
        for number in range(shared.replicas):
            yield replace(device, id=f"{device.id}::{number}")


def _sorted(pairs: Iterator[tuple[str, AdvertisedDevice]]) -> dict[str, list[AdvertisedDevice]]:
    result: dict[str, list[AdvertisedDevice]] = {}
    for name, device in pairs:
        result.setdefault(name, []).append(device)
    return result
