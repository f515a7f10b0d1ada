"""One resource of the NVIDIA device plugin: its device list and its responses to the kubelet.

Source: NVIDIA/k8s-device-plugin v0.20.0, internal/plugin/server.go and mps.go, internal/rm/rm.go and allocate.go.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from conformance.sim.device_plugin.cdi import qualified_name
from conformance.sim.device_plugin.device_map import AdvertisedDevice
from conformance.sim.device_plugin.settings import Settings
from conformance.sim.faults import Faults
from conformance.sim.plugin_api import AllocateError, AllocateResponse, Device, DeviceNode, Mount

VISIBLE_DEVICES: Final = "NVIDIA_VISIBLE_DEVICES"
_LIST_DIRECTORY: Final = "/var/run/nvidia-container-devices"


class ResourceServer:
    """Serves one resource; its devices are those at the start of the plugin.

    Args:
        resource: Name of the extended resource.
        devices: The advertised devices.
        settings: Settings of the plugin.
        faults: The faults that are switched on.
        control_nodes: Device files of the node that every container gets with PASS_DEVICE_SPECS.
        unique_ids: Whether several replicas of one device are named once.

    Attributes:
        resource: Name of the extended resource.
        is_ready: Whether it grants requests; always, but for the fault `plugin-not-ready`.
    """

    def __init__(
        self,
        resource: str,
        devices: Sequence[AdvertisedDevice],
        settings: Settings,
        faults: Faults,
        control_nodes: Sequence[str] = (),
        *,
        unique_ids: bool = True,
    ) -> None:
        self.resource = resource
        self.is_ready = True
        self._devices = {device.id: device for device in devices}
        self._settings = settings
        self._faults = faults
        self._control_nodes = control_nodes
        self._unique_ids = unique_ids

    def devices(self) -> Sequence[Device]:
        """Return all devices; they are healthy, since simulated GPUs report no XID errors."""
        listed = [
            Device(device.id, numa=() if device.numa is None else (device.numa,)) for device in self._devices.values()
        ]
        return listed[:-1] if self._faults.on("plugin-count-off-by-one") else listed

    def allocate(self, ids: Sequence[str]) -> AllocateResponse:
        """Return the response for one container.

        Raises:
            AllocateError: An id is unknown, or more replicas are requested than the configuration permits.
        """
        if not self.is_ready:
            raise AllocateError(f"error getting device list for {self.resource}: Not Ready")
        self._validate(ids)
        chosen = [self._devices[one] for one in ids]
        if self._faults.on("plugin-extra-device"):
            chosen += [device for device in self._devices.values() if device not in chosen][:1]
        names = [self._name(device) for device in chosen]
        if self._unique_ids:
            names = list(dict.fromkeys(names))
        cdi = [qualified_name(name) for name in names]
        ways = self._settings.device_list
        return AllocateResponse(
            envs=self._envs(names),
            mounts=self._mounts(names),
            devices=self._nodes(chosen),
            annotations=self._annotations(cdi) if "cdi-annotations" in ways else {},
            cdi=cdi if "cdi-cri" in ways else (),
            uuids=frozenset(self._seen(device) for device in chosen),
        )

    def preferred(self, available: Collection[str], required: Collection[str], size: int) -> Sequence[str]:
        """Choose devices: whole GPUs by NUMA node, MIG and shared devices by the allocation policy.

        Returns:
            The ids; none if fewer than `size` whole GPUs are available.

        Raises:
            AllocateError: Fewer than `size` MIG or shared devices are available.
        """
        candidates = [one for one in self._devices if one in available and one not in required]
        missing = size - len(required)
        if not any(device.is_mig or device.is_replica for device in self._devices.values()):
            chosen = self._by_distance(candidates, required)[:missing]
            return [*required, *chosen] if len(chosen) == missing else []
        if len(candidates) < missing:
            raise AllocateError(
                "error getting list of preferred allocation devices: not enough available devices to satisfy allocation"
            )
        return [*required, *self._by_use(candidates, missing)]

    def _validate(self, ids: Sequence[str]) -> None:
        before = f'invalid allocation request for "{self.resource}": invalid request: '
        for one in ids:
            if one not in self._devices or self._faults.on("plugin-rejects-requests"):
                raise AllocateError(f"{before}unknown device: {one}")
        if self._settings.sharing.one_at_most and len(ids) > 1 and any("::" in one for one in ids):
            raise AllocateError(f"{before}maximum request size for shared resources is 1; found {len(ids)}")

    def _name(self, device: AdvertisedDevice) -> str:
        return device.index if self._settings.device_id == "index" else self._seen(device)

    def _seen(self, device: AdvertisedDevice) -> str:
        return device.gpu if self._faults.on("plugin-gives-whole-gpu") else device.uuid

    @property
    def _without_cdi(self) -> bool:
        return not all(way.startswith("cdi-") for way in self._settings.device_list)

    @property
    def _is_mps(self) -> bool:
        return self._settings.sharing.strategy == "mps"

    def _envs(self, names: Sequence[str]) -> dict[str, str]:
        envs = {}
        if "envvar" in self._settings.device_list:
            envs[VISIBLE_DEVICES] = ",".join(names)
        if "volume-mounts" in self._settings.device_list:
            envs[VISIBLE_DEVICES] = _LIST_DIRECTORY
        if self._is_mps:
            envs["CUDA_MPS_PIPE_DIRECTORY"] = self._pipe_directory("/mps")
        return envs

    def _mounts(self, names: Sequence[str]) -> list[Mount]:
        mounts = []
        if self._is_mps:
            root = self._settings.mps_root
            mounts += [
                Mount(self._pipe_directory("/mps"), self._pipe_directory(root)),
                Mount("/dev/shm", f"{root}/shm"),  # noqa: S108 - where the MPS daemon keeps it in a container
            ]
        if "volume-mounts" in self._settings.device_list:
            mounts += [Mount(f"{_LIST_DIRECTORY}/{name}", "/dev/null") for name in names]
        return mounts

    def _pipe_directory(self, root: str) -> str:
        return f"{root}/{self.resource}/pipe"

    def _nodes(self, chosen: Sequence[AdvertisedDevice]) -> list[DeviceNode]:
        if not self._settings.pass_device_specs or not self._without_cdi:
            return []
        paths = [*self._control_nodes, *(path for device in chosen for path in device.nodes)]
        return [DeviceNode(path, path) for path in paths]

    def _annotations(self, cdi: Sequence[str]) -> dict[str, str]:
        key = f"{self._settings.cdi_annotation_prefix}nvidia-device-plugin_{uuid.uuid4()}"
        return {key: ",".join(cdi)}

    def _by_use(self, candidates: Sequence[str], missing: int) -> list[str]:
        """Choose one by one from the device with the fewest replicas in use (`packed`: the most)."""
        totals = Counter(device.uuid for device in self._devices.values())
        free = Counter(self._devices[one].uuid for one in candidates)
        sign = -1 if self._settings.allocation_policy == "packed" else 1
        picked: Counter[str] = Counter()
        rest, chosen = list(candidates), []
        for _ in range(missing):
            one = min(rest, key=lambda one: self._rank(one, totals - free, picked, sign))
            owner = self._devices[one].uuid
            picked[owner] += 1
            free[owner] -= 1
            rest.remove(one)
            chosen.append(one)
        return chosen

    def _rank(self, one: str, used: Counter[str], picked: Counter[str], sign: int) -> tuple[int, int]:
        owner = self._devices[one].uuid
        return sign * used[owner], picked[owner]

    def _by_distance(self, candidates: Sequence[str], required: Collection[str]) -> list[str]:
        """Sort by NUMA node: first that of the required GPUs, then the one with the most candidates.

        The real plugin also considers NVLink; on the simulated boards, all GPUs are connected equally.
        """
        near = {self._devices[one].numa for one in required}
        size = Counter(self._devices[one].numa for one in candidates)
        return sorted(
            candidates, key=lambda one: ((numa := self._devices[one].numa) not in near, -size[numa], numa or 0)
        )
