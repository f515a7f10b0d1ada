"""All components of a simulated cluster in one event loop: wiring, start and stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp
from kubernetes.config import ConfigException

from conformance.sim.apiserver import ApiServer, Settings
from conformance.sim.clock import Clock
from conformance.sim.cluster.readiness import missing
from conformance.sim.daemonsets import DaemonSets
from conformance.sim.deployments import Deployments
from conformance.sim.device_plugin import device_plugin
from conformance.sim.faults import Faults
from conformance.sim.feature_discovery import feature_discovery
from conformance.sim.gitops import GitOps
from conformance.sim.hardware import NodeHardware
from conformance.sim.kube import CLUSTER_POLICIES, DAEMON_SETS, NODES, Event, Kube, KubeError, Object
from conformance.sim.kube.config import Connection
from conformance.sim.kubelet.endpoint import LOOPBACK, address_towards_nodes
from conformance.sim.kubelet.kubelet import Kubelet
from conformance.sim.kubelet.process import SUITE, Suite
from conformance.sim.kubelet.programs import Programs
from conformance.sim.mig_manager import mig_manager
from conformance.sim.nfd import NfdCollector, nfd_master, nfd_worker
from conformance.sim.node import SimNode
from conformance.sim.operands import COMMANDS, validator, vector_add
from conformance.sim.operator import Installation, gpu_operator, install, uninstall
from conformance.sim.options import SimOptions
from conformance.sim.scheduler import Scheduler
from conformance.sim.tasks import Tasks
from conformance.spec.models import Board, GpuModel
from conformance.spec.names import INSTANCE_TYPE, OPERATOR_NAMESPACE, SIMULATED_INSTANCE_TYPE

NODE_PREFIX: Final = "sim-"
OTHER_PREFIX: Final = "sim-other-"
"""Names of nodes whose GPUs cannot do MIG."""
WITHDRAW_SECONDS: Final = 10.0
"""Real seconds for removing nodes and operator from a cluster that was joined."""
_NODE_LABELS: Final = {
    INSTANCE_TYPE: SIMULATED_INSTANCE_TYPE,
    "topology.kubernetes.io/region": "simulated",
    "topology.kubernetes.io/zone": "simulated-a",
}

READY_ALL_THE_SAME: Final = 8.0
"""Real seconds after which a cluster with a fault counts as ready: the fault may keep it from becoming ready."""
READY_SIMULATED: Final = 90.0
"""Simulated seconds that the operands take to start; added to both limits, because at a time scale of 1 they count."""


class SimulationError(Exception):
    """A component failed, or the cluster did not become ready; the message says which, or what is missing."""


class Component(Protocol):
    """A part of the control plane that runs until it is cancelled."""

    async def run(self) -> None:
        """Run until cancelled."""


class Simulation:
    """A simulated cluster inside an event loop; `SimulatedCluster` wraps it for callers without one.

    Args:
        options: Its composition.
        attach: Kubeconfig of the API server to join; None starts the embedded one.
        context: Context in that kubeconfig; None for the current one.
        with_scheduler: Whether to run the simulated scheduler.
        with_controllers: Whether to run the simulated controllers of DaemonSets and Deployments.

    Attributes:
        clock: The cluster's clock.
        nodes: The simulated nodes.
        server: The embedded API server; None before the start, or if the nodes joined another one.
        failure: Error of the first component that failed; None if none has failed.
    """

    def __init__(
        self,
        options: SimOptions,
        *,
        attach: Path | None,
        context: str | None,
        with_scheduler: bool,
        with_controllers: bool,
    ) -> None:
        self.clock = Clock(options.attached_time_scale if attach else options.time_scale)
        self.failure: SimulationError | None = None
        self.server: ApiServer | None = None
        self._kubelet: Kubelet | None = None
        self._on_failure: Callable[[], None] = lambda: None
        self._faults = Faults(options.faults)
        boards = {f"{NODE_PREFIX}{number}": options.boards() for number in range(options.gpu_nodes)}
        boards |= {f"{OTHER_PREFIX}{number}": (board,) for number, board in enumerate(options.other_boards())}
        self.nodes = tuple(self._node(options, name, of_node) for name, of_node in boards.items())
        self._options = options
        self._attach = attach
        self._context = context
        self._with_scheduler = with_scheduler
        self._with_controllers = with_controllers
        self._endings = AsyncExitStack()
        self._changed = asyncio.Event()

    async def start(self, directory: Path, ready_within: float | None) -> Path:
        """Start everything and return the path of a kubeconfig.

        Args:
            directory: Directory for the kubeconfig of the embedded server.
            ready_within: Real seconds to wait until operands run and nodes are labelled; None to not wait. Without the
                operator, or a node that could run it, there is nothing to wait for.

        Raises:
            SimulationError: The server cannot be used, the cluster is not ready in time, or a component failed.
        """
        asyncio.get_running_loop().set_exception_handler(self._note_failure)
        try:
            if self._attach:
                kubeconfig, kube = self._attach, await Kube.connect(self._attach, self._context)
            else:
                kubeconfig, kube = await self._serve(directory)
            self._endings.push_async_callback(kube.close)
            await self._work(kube, Suite(kubeconfig, self._context) if self._options.runs_suite else None)
        except (KubeError, aiohttp.ClientError, TimeoutError, OSError, ConfigException) as error:
            raise SimulationError(f"the API server cannot be used: {str(error) or repr(error)}") from error
        if ready_within is not None and self._options.operator and self.nodes:
            await self._until_ready(kube, ready_within)
        return kubeconfig

    async def stop(self) -> None:
        """Stop everything; remove nodes and operator from a server that was joined.

        Raises:
            SimulationError: A component failed while it was running, or the removal failed.
        """
        await self._endings.aclose()
        if self.failure:
            raise self.failure

    def notify(self, action: Callable[[], None]) -> None:
        """Call `action` when a component fails; at once if one has already failed."""
        self._on_failure = action
        if self.failure:
            action()

    async def lose(self, name: str) -> None:
        """Take the machine of a node away; see `SimulatedCluster.lose`."""
        if self._kubelet is not None:
            await self._kubelet.lose(name)

    async def _serve(self, directory: Path) -> tuple[Path, Kube]:
        """Start the embedded server; return its kubeconfig and the client of the components, which needs no network."""
        server = ApiServer(directory, self.clock, Settings(audit_log=self._options.audit_log))
        await server.start()
        self.server = server
        self._endings.push_async_callback(server.stop)
        return server.kubeconfig, Kube(Connection(server.plain_url, None, server.credentials, server.call))

    async def _work(self, kube: Kube, suite: Suite | None) -> None:
        """Install the operator, start all components, join the nodes."""
        if self._options.operator:
            await install(kube, self._installation())
        tasks = Tasks()
        self._endings.push_async_callback(tasks.stop)
        for component in self._components(kube):
            tasks.spawn(component.run(), type(component).__name__)
        address = await address_towards_nodes(kube) if self._attach else LOOPBACK
        known = programs(suite, self._options.reaction)
        kubelet = self._kubelet = Kubelet(kube, self.clock, known, address, normal_events=self._options.normal_events)
        self._endings.push_async_callback(kubelet.stop)
        if self._attach:
            self._endings.push_async_callback(self._withdraw, kube, kubelet)
        await kubelet.start(self.nodes)

    def _components(self, kube: Kube) -> list[Component]:
        reaction, normal = self._options.reaction, self._options.normal_events
        components: list[Component] = []
        if self._options.operator:
            components.append(NfdCollector(kube, self.clock))
        if self._options.gitops is not None:
            components.append(GitOps(kube, self.clock, self._options.gitops, reaction))
        if self._with_controllers:
            components.append(DaemonSets(kube, self.clock, reaction, normal_events=normal))
            components.append(Deployments(kube, self.clock, reaction))
        if self._with_scheduler:
            components.append(Scheduler(kube, self.clock, self._faults, reaction, normal_events=normal))
        return components

    async def _withdraw(self, kube: Kube, kubelet: Kubelet) -> None:
        """Remove operator and nodes from the server that was joined."""
        try:
            async with asyncio.timeout(WITHDRAW_SECONDS):
                if self._options.operator:
                    await uninstall(kube, self._installation())
                await kubelet.leave()
        except (TimeoutError, aiohttp.ClientError, KubeError) as error:
            raise SimulationError(f"nodes and operator could not be removed: {error!r}") from error

    async def _until_ready(self, kube: Kube, seconds: float) -> None:
        informers = [kube.informer(kind) for kind in (CLUSTER_POLICIES, DAEMON_SETS, NODES)]
        unsubscribe = [informer.on_change(self._note_change) for informer in informers]
        lacking: str | None = ""
        broken = bool(self._options.faults)
        limit = min(seconds, READY_ALL_THE_SAME) if broken else seconds
        try:
            async with asyncio.timeout(limit + READY_SIMULATED / self.clock.scale):
                while (lacking := next(self._missing(kube), None)) is not None:
                    self._changed.clear()
                    await self._changed.wait()
                    if self.failure:
                        raise self.failure
        except TimeoutError:
            if not broken:
                raise SimulationError(f"not ready after {seconds:g} s: {lacking}") from None
        finally:
            for end in unsubscribe:
                end()

    def _missing(self, kube: Kube) -> Iterator[str]:
        nodes = kube.informer(NODES)
        daemon_sets = [
            item for (namespace, _), item in kube.informer(DAEMON_SETS).cache.items() if namespace == OPERATOR_NAMESPACE
        ]
        policies = list(kube.informer(CLUSTER_POLICIES).cache.values())
        return missing(policies, daemon_sets, ((node.name, nodes.get(node.name)) for node in self.nodes))

    def _note_change(self, _event: Event, _old: Object | None, _new: Object) -> None:
        self._changed.set()

    def _note_failure(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        loop.default_exception_handler(context)
        if self.failure is None:
            self.failure = SimulationError(f"{context['message']}: {context.get('exception')!r}")
            self._changed.set()
            self._on_failure()

    def _installation(self) -> Installation:
        options = self._options
        return Installation(
            release=options.find_release(),
            namespace=OPERATOR_NAMESPACE,
            strategy=options.strategy,
            default_configuration=options.config_default,
            custom_configuration=options.custom_config,
            with_reboot=options.with_reboot,
            mig_manager=options.mig_manager,
            plugin_configuration=options.plugin_config,
            cdi=options.cdi,
            home=tuple(node.name for node in self.nodes if node.name.startswith(OTHER_PREFIX)),
        )

    def _node(self, options: SimOptions, name: str, boards: Sequence[tuple[GpuModel, Board]]) -> SimNode:
        hardware = NodeHardware(boards, options.seed, name, self._faults)
        return SimNode(name, hardware, self.clock, self._faults, {**_NODE_LABELS, **options.node_labels})


def programs(suite: Suite | None = None, reaction: float = 0.0) -> Programs:
    """Return the programs that containers run: operands by command, and images with an entry point by name.

    Args:
        suite: The suite itself, for pods that test the cluster from inside; None for no such image.
        reaction: Minimum real seconds between a change and the operator's reconcile.
    """
    commands = {
        "gpu-operator": gpu_operator(reaction),
        "nfd-master": nfd_master,
        "nfd-worker": nfd_worker,
        "nvidia-mig-manager": mig_manager,
        "nvidia-device-plugin": device_plugin,
        "gpu-feature-discovery": feature_discovery,
        "nvidia-validator": validator,
    }
    images = {
        "k8s-mig-manager": mig_manager,
        "k8s-device-plugin": device_plugin,
        "cuda-sample": vector_add,
    }
    own = {SUITE: suite} if suite is not None else {}
    return Programs({**images, **own}, {**COMMANDS, **commands, **own})
