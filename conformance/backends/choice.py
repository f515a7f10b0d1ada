"""Creates the backend that the options select."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from conformance.backends.backend import READ_ONLY, Backend, BackendError, Permissions
from conformance.backends.control_plane import ControlPlane, find_binaries
from conformance.backends.live import LiveBackend
from conformance.backends.local import LocalBackend
from conformance.backends.names import BACKENDS, CONTROL_PLANE, LIVE, PROVIDERS, SIMULATED
from conformance.backends.simulated import SimulatedBackend, WithSimulatedGpus
from conformance.backends.simulation import SimOptions, scheduler_faults
from conformance.cluster.limits import Limits


@dataclass(frozen=True)
class Choice:
    """What the user asked for.

    Attributes:
        cluster: One of `BACKENDS`.
        run: Id of this run.
        simulation: What simulated GPU nodes are made of; ignored for a live cluster with its own GPUs.
        kubeconfig: For a live cluster; None: the one kubectl would use.
        context: Context in it; None: its current one.
        simulate_gpus: Whether simulated GPU nodes join a live cluster.
        permissions: What may be done to a live cluster with its own GPUs.
        limits: Time limits; None: the defaults.
    """

    cluster: str
    run: str
    simulation: SimOptions
    kubeconfig: Path | None = None
    context: str | None = None
    simulate_gpus: bool = False
    permissions: Permissions = READ_ONLY
    limits: Limits | None = None


def make_backend(choice: Choice) -> Backend:
    """Make the backend that was asked for; nothing is started yet.

    Raises:
        BackendError: There is no such backend, or the programs of a control plane are missing; the message lists the
            backends or says how to get the programs.
    """
    if choice.cluster == SIMULATED:
        return SimulatedBackend(choice.simulation)
    if choice.cluster == LIVE:
        live = LiveBackend(choice.kubeconfig, choice.context, choice.permissions, choice.limits)
        return WithSimulatedGpus(live, choice.simulation) if choice.simulate_gpus else live
    if choice.cluster == CONTROL_PLANE:
        return _control_plane(choice.simulation)
    if choice.cluster in PROVIDERS:
        return WithSimulatedGpus(LocalBackend(choice.cluster, choice.run), choice.simulation)
    raise BackendError(f"unknown cluster {choice.cluster}; there are: {', '.join(BACKENDS)}")


def _control_plane(simulation: SimOptions) -> Backend:
    """Make a control plane in which simulated components replace missing programs.

    If a fault of the scheduler is switched on, the simulated scheduler replaces kube-scheduler too.
    """
    binaries = find_binaries()
    if scheduler_faults(simulation):
        binaries = replace(binaries, scheduler=None)
    return WithSimulatedGpus(
        ControlPlane(binaries),
        simulation,
        with_scheduler=binaries.scheduler is None,
        with_controllers=binaries.controller_manager is None,
    )
