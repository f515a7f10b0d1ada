"""The services of a node for its pods: devices, volumes, programs, addresses, events and status."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from conformance.sim.clock import Clock
from conformance.sim.container import Container
from conformance.sim.device_manager import DeviceError, Grant
from conformance.sim.events import EventRecorder
from conformance.sim.hardware.gpu import Gpu
from conformance.sim.kube import PODS, Informer, Kube, Object
from conformance.sim.kube.insist import insist_unless_gone
from conformance.sim.kubelet.containers import Launch
from conformance.sim.kubelet.endpoint import Endpoint
from conformance.sim.kubelet.environment import environment, expand, visible_gpus
from conformance.sim.kubelet.logs import ContainerLog
from conformance.sim.kubelet.podstatus import PodAtWork
from conformance.sim.kubelet.programs import Programs, image_name
from conformance.sim.kubelet.statuswriter import StatusWriter
from conformance.sim.kubelet.volumes import Files, missing_config_map
from conformance.sim.node import SimNode


@dataclass(frozen=True)
class Shared:
    """Shared parts of all nodes of one process.

    Attributes:
        kube: API client.
        clock: The cluster's clock.
        programs: The programs of containers.
        pods: All pods of the cluster.
        config_maps: All ConfigMaps of the cluster.
        events: Recorder of the kubelets' events.
        statuses: Writer of the status of pods.
        endpoint: Address of the nodes, and port of their kubelets.
        addresses: Numbers of the next pod addresses.
    """

    kube: Kube
    clock: Clock
    programs: Programs
    pods: Informer
    config_maps: Informer
    events: EventRecorder
    statuses: StatusWriter
    endpoint: Endpoint
    addresses: Iterable[int]


class Runtime:
    """One node, as its pods see it."""

    def __init__(self, shared: Shared, node: SimNode) -> None:
        self._shared = shared
        self._node = node

    @property
    def clock(self) -> Clock:
        """The cluster's clock."""
        return self._shared.clock

    def admit(self, pod: Object) -> dict[str, Grant]:
        """Allocate devices for all containers of the pod; later containers can reuse those of init containers.

        Raises:
            DeviceError: The devices are not available; then none are allocated.
        """
        uid, devices = pod["metadata"]["uid"], self._node.devices
        reusable: dict[str, set[str]] = {}
        grants = {}
        try:
            for spec in pod["spec"].get("initContainers") or []:
                grants[spec["name"]] = devices.allocate(uid, spec["name"], _limits(spec), reusable)
                for resource, ids in devices.held(uid, spec["name"]).items():
                    reusable.setdefault(resource, set()).update(ids)
            for spec in pod["spec"]["containers"]:
                grants[spec["name"]] = devices.allocate(uid, spec["name"], _limits(spec), reusable)
                for resource, ids in devices.held(uid, spec["name"]).items():
                    reusable.get(resource, set()).difference_update(ids)
        except DeviceError:
            devices.release(uid)
            raise
        return grants

    async def mount(self, pod: Object) -> None:
        """Wait until all ConfigMaps of the pod's volumes exist."""
        if (missing := missing_config_map(pod, self._config_map)) is None:
            return
        message = f'MountVolume.SetUp failed for volume "{missing[0]}" : configmap "{missing[1]}" not found'
        self.warn(pod, "FailedMount", message)
        complete = asyncio.Event()

        def look(*_: object) -> None:
            if missing_config_map(pod, self._config_map) is None:
                complete.set()

        unsubscribe = self._shared.config_maps.on_change(look)
        try:
            await complete.wait()
        finally:
            unsubscribe()

    def prepare(self, pod: Object, spec: Object, grant: Grant, log: ContainerLog, ip: str) -> Launch:
        """Return what a container of the pod runs next."""
        addressed = pod | {"status": pod.get("status", {}) | {"podIP": ip, "hostIP": self._shared.endpoint.address}}
        variables = environment(addressed, spec, self._config_map, grant)
        command = [expand(word, variables) for word in [*(spec.get("command") or []), *(spec.get("args") or [])]]
        files = Files(pod, spec, self._config_map, self._node.files)
        image = spec.get("image") or ""
        identity = PurePosixPath(command[0]).name if command else image_name(image)
        container = Container(
            pod=pod,
            name=spec["name"],
            image=image,
            command=command,
            env=variables,
            node=self._node,
            kube=self._shared.kube.named(identity),
            clock=self.clock,
            visible=self._visible(pod, spec, variables, grant),
            files=files.read,
            log=lambda text: log.append(self.clock.time(), text),
        )
        return Launch(self._shared.programs.find(container), container)

    def _visible(self, pod: Object, spec: Object, variables: Mapping[str, str], grant: Grant) -> frozenset[str] | None:
        visible = visible_gpus(pod, spec, variables, grant)
        main = any(spec["name"] == each["name"] for each in pod["spec"]["containers"])
        if visible and main and grant.answers and self._node.faults.on("runtime-shows-whole-gpu"):
            whole = (devices for gpu in self._node.hardware.gpus if visible & (devices := _devices_of(gpu)))
            return visible.union(*whole)
        return visible

    def new_address(self, pod: Object) -> str:
        """Return the IP address of a new pod: that of the node with host network, else a new one."""
        if pod["spec"].get("hostNetwork"):
            return self._shared.endpoint.address
        number = next(iter(self._shared.addresses))
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    def warn(self, pod: Object, reason: str, message: str) -> None:
        """Write a warning event for the pod."""
        self._shared.events.warn(PODS, pod, reason, message, self._node.name)

    def note(self, pod: Object, reason: str, message: str, part: str) -> None:
        """Write an event of type Normal for a container of the pod; `part` is its field."""
        self._shared.events.note(PODS, pod, reason, message, self._node.name, part)

    def write_status(self, worker: PodAtWork, *, soon: bool) -> None:
        """Write the pod's status."""
        self._shared.statuses.touch(worker, soon=soon)

    def released(self, pod: Object) -> None:
        """Release the devices of the pod."""
        self._node.devices.release(pod["metadata"]["uid"])

    async def remove(self, pod: Object) -> None:
        """Remove the object of a pod that has terminated."""
        meta = pod["metadata"]
        delete = partial(self._shared.kube.delete, PODS, meta["name"], meta["namespace"], 0, meta["uid"])
        await insist_unless_gone(delete)

    def _config_map(self, namespace: str, name: str) -> Object | None:
        return self._shared.config_maps.get(name, namespace)


def _devices_of(gpu: Gpu) -> set[str]:
    return {compute.uuid for instance in gpu.instances for compute in instance.compute_instances}


def _limits(spec: Object) -> Mapping[str, str]:
    limits: Mapping[str, str] = (spec.get("resources") or {}).get("limits") or {}
    return limits
