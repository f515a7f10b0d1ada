"""One node with operands and a mig-manager on the embedded API server: the stand on which mig-manager was recorded.

The DaemonSet controller is the simulator's. Scheduler and kubelet are stand-ins, as they were in the recordings: a pod
runs at once and takes a while to end.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

from conformance.sim.apiserver import ApiServer
from conformance.sim.clock import Clock
from conformance.sim.container import Container
from conformance.sim.daemonsets import DaemonSets
from conformance.sim.faults import Faults
from conformance.sim.hardware import NodeHardware
from conformance.sim.kube import DAEMON_SETS, NAMESPACES, NODES, PODS, Event, Kube, Object
from conformance.sim.mig_manager import mig_manager
from conformance.sim.node import SimNode
from conformance.sim.tasks import Tasks
from conformance.spec import names
from tests.recordings.stand_pods import LINGER, OPERANDS, StandInKubelet, daemon_set, pod

NODE = "gpu-node-0"
LIMIT = 400.0
"""Simulated seconds after which something that was to happen did not: longer than mig-manager waits for a pod."""
CHANCE = 60.0
"""Simulated seconds for something that may come or not."""
RUN_ENDED = ('level=info msg="Successfully updated', 'level=error msg="Error: ')
"""How the last line of a reconfiguration begins."""


@dataclass(frozen=True)
class Change:
    """One patch of the node's labels, as a watch shows it.

    Attributes:
        set: Labels that are new or have a new value.
        removed: Labels that are gone.
        by: `scenario` for what the test did, else `mig-manager`.
    """

    set: dict[str, str]
    removed: tuple[str, ...]
    by: str


@dataclass
class Plan:
    """What is on the stand at the start.

    Attributes:
        labels: Labels of the node.
        daemon_sets: App label to the node label that its DaemonSet selects, of the operands and of others.
        pods: App labels of pods that belong to nobody.
        lingering: App label to the seconds that such pods take to end, where that is not `LINGER`.
        version: Tag of mig-manager's image.
        faults: Defects that are switched on.
        scale: Simulated seconds per real one.
    """

    labels: dict[str, str]
    daemon_sets: dict[str, str] = field(default_factory=lambda: dict(OPERANDS))
    pods: tuple[str, ...] = ()
    lingering: dict[str, float] = field(default_factory=dict)
    version: str = "v0.15.0"
    faults: tuple[str, ...] = ()
    scale: float = 100.0


class Stand:
    """The running stand; made by `stand`.

    Attributes:
        clock: Its clock.
        hardware: The GPUs of the node.
        files: Content of files in mig-manager's container by path; changes count at once.
        changes: Changes of the node's labels so far.
        log: Lines that all runs of mig-manager logged.
        starts: How often mig-manager was started.
        reboot_asked: Whether mig-manager asked for a reboot since its last start.
    """

    def __init__(self, kube: Kube, hardware: NodeHardware, plan: Plan) -> None:
        self.clock = Clock(plan.scale)
        self.hardware = hardware
        self.files: dict[str, str] = {}
        self.changes: list[Change] = []
        self.log: list[str] = []
        self.starts = 0
        self.reboot_asked = False
        self.kube = kube
        self.plan = plan
        self._node = SimNode(NODE, hardware, self.clock, Faults(plan.faults), on_reboot=self._reboot)
        self._labels = dict(plan.labels)
        self._own: list[tuple[dict[str, str], tuple[str, ...]]] = []
        self._changed = asyncio.Event()
        self._process: asyncio.Task[int] | None = None
        self._container: Container | None = None
        self._tasks = Tasks()
        self._kubelet = StandInKubelet(kube, self.clock, NODE, plan.lingering, self._changed.set)

    async def prepare(self) -> None:
        """Create the objects and wait until every pod that belongs on the node runs."""
        await self.kube.create(NAMESPACES, {"metadata": {"name": names.OPERATOR_NAMESPACE}})
        await self.kube.create(NODES, {"metadata": {"name": NODE, "labels": self._labels}})
        for app, selects in self.plan.daemon_sets.items():
            await self.kube.create(DAEMON_SETS, daemon_set(app, selects))
        for app in (*self.plan.pods, names.MIG_MANAGER_APP):
            await self.kube.create(PODS, pod(app, NODE))
        nodes = self.kube.informer(NODES)
        self._tasks.spawn(DaemonSets(self.kube, self.clock).run(), "DaemonSet controller")
        await nodes.synced.wait()
        nodes.on_change(self._node_changed)
        await self._kubelet.start()
        expected = [app for app, selects in self.plan.daemon_sets.items() if self._labels.get(selects) == "true"]
        await self.until(lambda: self._kubelet.running >= {*expected, *self.plan.pods}, "the pods run")
        self.pods.clear()

    async def stop(self) -> None:
        """End everything that runs on the stand."""
        if self._process is not None:
            self._process.cancel()
            await asyncio.gather(self._process, return_exceptions=True)
        await self._tasks.stop()
        await self._kubelet.stop()
        self.clock.stop()

    async def ended(self, runs: int) -> None:
        """Wait for the end of so many reconfigurations."""
        await self.until(lambda: self.finished >= runs, f"the end of {runs} reconfigurations")

    async def until(self, reached: Callable[[], bool], what: str) -> None:
        """Wait until a change of the node or of a pod, or a line in the log, makes `reached` true.

        Raises:
            AssertionError: It did not within the limit; the changes so far are told.
        """
        if not await self.came(reached, LIMIT):
            seen = "\n".join(map(str, (*self.changes, *self.log)))
            raise AssertionError(f"did not come: {what}\n{seen}")

    async def came(self, reached: Callable[[], bool], limit: float = CHANCE) -> bool:
        """Wait in the same way, and say whether it became true; `limit` counts from the last change."""
        while not reached():
            self._changed.clear()
            try:
                await self.clock.wait(self._changed, limit)
            except TimeoutError:
                return False
        return True

    async def start_manager(self, env: Mapping[str, str]) -> None:
        """Start mig-manager with this environment beside what its pod gives it."""
        pod = await self.kube.get(PODS, names.MIG_MANAGER_APP, names.OPERATOR_NAMESPACE)
        given = {"NODE_NAME": NODE, "DEFAULT_GPU_CLIENTS_NAMESPACE": names.OPERATOR_NAMESPACE}
        self.reboot_asked = False
        self.starts += 1
        self._container = Container(
            pod=pod,
            name=names.MIG_MANAGER_APP,
            image=f"nvcr.io/nvidia/cloud-native/k8s-mig-manager:{self.plan.version}",
            command=[],
            env=given | dict(env),
            node=self._node,
            kube=self.kube.named(names.MIG_MANAGER_APP),
            clock=self.clock,
            visible=None,
            files=self.files.get,
            log=self._log_line,
        )
        self._process = asyncio.create_task(mig_manager(self._container))

    async def stop_manager(self, signal: str) -> int:
        """End mig-manager by a signal; its exit code."""
        assert self._process is not None
        assert self._container is not None
        if signal == "SIGTERM":
            self._container.stop.set()
            return await self.exit_code()
        self._process.cancel()
        await asyncio.gather(self._process, return_exceptions=True)
        return -Signals[signal]

    async def exit_code(self) -> int:
        """Exit code of mig-manager once it has ended; negative where a signal ended it."""
        assert self._process is not None
        code = await asyncio.wait_for(self._process, timeout=10)
        return 128 - code if code > 128 else code

    async def label(self, key: str, value: str | None) -> None:
        """Set a label of the node, or remove it where the value is None."""
        self._own.append(({}, (key,)) if value is None else ({key: value}, ()))
        await self.kube.patch(NODES, NODE, {"metadata": {"labels": {key: value}}})

    async def recreate_node(self) -> None:
        """Delete the Node object and create it as it was at the start, with the configuration asked for now."""
        wanted = dict(self.plan.labels)
        if asked_for := self._labels.get(names.MIG_CONFIG):
            wanted[names.MIG_CONFIG] = asked_for
        change = _difference(self._labels, wanted)
        self._own.append((change.set, change.removed))
        await self.kube.delete(NODES, NODE)
        await self.clock.sleep(LINGER)
        await self.kube.create(NODES, {"metadata": {"name": NODE, "labels": wanted}})

    @property
    def pods(self) -> dict[str, list[str]]:
        """App label to what happened to its pods so far: `bound`, `terminating`, `gone`."""
        return self._kubelet.told

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of the node now."""
        return self._labels

    @property
    def finished(self) -> int:
        """How many reconfigurations have ended."""
        return sum(line.startswith(RUN_ENDED) for line in self.log)

    def _log_line(self, line: str) -> None:
        self.log.append(line)
        self._changed.set()

    def _reboot(self) -> None:
        self.reboot_asked = True

    def _node_changed(self, event: Event, _: Object | None, node: Object) -> None:
        if event is Event.DELETED:
            return
        labels = dict(node["metadata"].get("labels") or {})
        change = _difference(self._labels, labels)
        if not (change.set or change.removed):
            return
        self._labels = labels
        if (change.set, change.removed) in self._own:
            self._own.remove((change.set, change.removed))
            change = Change(change.set, change.removed, "scenario")
        self.changes.append(change)
        self._changed.set()


@asynccontextmanager
async def stand(hardware: NodeHardware, plan: Plan) -> AsyncIterator[Stand]:
    """Set up a stand, and take it down."""
    with tempfile.TemporaryDirectory() as directory:
        server = ApiServer(Path(directory))
        await server.start()
        kube = await Kube.connect(server.kubeconfig)
        running = Stand(kube, hardware, plan)
        try:
            await running.prepare()
            yield running
        finally:
            await running.stop()
            await kube.close()
            await server.stop()


def _difference(before: Mapping[str, str], after: Mapping[str, str]) -> Change:
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    return Change(changed, tuple(sorted(before.keys() - after.keys())), "mig-manager")
