"""The simulated cluster, and simulated GPU nodes that join the cluster of another backend."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from conformance.backends.backend import EVERYTHING, Attachment, Backend, BackendError
from conformance.backends.names import SIMULATED
from conformance.backends.simulation import SimOptions, scheduler_faults
from conformance.cluster import paths
from conformance.cluster.connecting import connect
from conformance.cluster.errors import ApiError, ClusterError
from conformance.cluster.limits import Limits
from conformance.sim.cluster import SimulatedCluster, SimulationError


class SimulatedBackend:
    """Embedded API server and simulated GPU nodes, in a thread of this process; nothing to install."""

    name = SIMULATED
    simulated_gpus = True

    def __init__(self, simulation: SimOptions) -> None:
        self._options = simulation
        self._cluster: SimulatedCluster | None = None

    def start(self) -> Attachment:
        """Start it and wait until every operand runs; takes about a second."""
        self._cluster = SimulatedCluster(self._options)
        return Attachment(_started(self._cluster), None, self._cluster.clock, EVERYTHING)

    def stop(self) -> None:
        """Stop the simulated cluster."""
        if self._cluster is not None:
            self._cluster.stop()
            self._cluster = None


class WithSimulatedGpus:
    """Simulated GPU nodes, operator included, on the API server of another backend.

    Args:
        base: The other backend.
        simulation: What the nodes are made of.
        with_scheduler: Whether to simulate a scheduler, because the base cluster has none.
        with_controllers: Whether to simulate a DaemonSet controller, because the base cluster has none.

    Raises:
        BackendError: A fault of the scheduler is switched on, but the base cluster has its own scheduler.
    """

    simulated_gpus = True

    def __init__(
        self, base: Backend, simulation: SimOptions, *, with_scheduler: bool = False, with_controllers: bool = False
    ) -> None:
        if not with_scheduler and (faults := scheduler_faults(simulation)):
            names = ", ".join(faults)
            raise BackendError(f"--cluster {base.name} has a scheduler of its own, which cannot have {names}")
        self._base = base
        self._options = simulation
        self._with_scheduler = with_scheduler
        self._with_controllers = with_controllers
        self._cluster: SimulatedCluster | None = None

    @property
    def name(self) -> str:
        """That of the other backend."""
        return self._base.name

    def start(self) -> Attachment:
        """Start the other backend, then join it.

        Raises:
            BackendError: The base cluster cannot be provided, or already has a GPU Operator, with which the simulated
                one would conflict.
        """
        base = self._base.start()
        _refuse_operator(base.kubeconfig, base.context)
        self._cluster = SimulatedCluster(
            self._options,
            attach=base.kubeconfig,
            context=base.context,
            with_scheduler=self._with_scheduler,
            with_controllers=self._with_controllers,
        )
        _started(self._cluster)
        return Attachment(base.kubeconfig, base.context, self._cluster.clock, EVERYTHING)

    def stop(self) -> None:
        """Remove the simulated nodes, then stop the base backend."""
        try:
            if self._cluster is not None:
                self._cluster.stop()
                self._cluster = None
        finally:
            self._base.stop()


def _started(cluster: SimulatedCluster) -> Path:
    try:
        return cluster.start()
    except SimulationError as error:
        raise BackendError(f"the simulated cluster did not start: {error}") from error


def _refuse_operator(kubeconfig: Path, context: str | None) -> None:
    try:
        with closing(connect(kubeconfig, context, Limits())) as transport:
            found = transport.get(paths.policies())["items"]
    except ApiError as error:
        if error.not_found:
            return
        raise BackendError(f"cannot join simulated GPU nodes: {error}") from error
    except ClusterError as error:
        raise BackendError(str(error)) from error
    if found:
        names = ", ".join(item["metadata"]["name"] for item in found)
        raise BackendError(
            f"this cluster has a GPU Operator already (ClusterPolicy {names}): the simulated one would fight it. "
            "Leave out --simulate-gpus, or choose a cluster without GPUs"
        )
