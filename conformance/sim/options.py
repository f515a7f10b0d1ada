"""The composition of a simulated cluster: options of `python -m conformance.sim` and of the suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Final

from conformance.sim.faults import Faults
from conformance.spec.models import Board, GpuModel, find_board
from conformance.spec.names import Strategy
from conformance.spec.releases import DEFAULT_RELEASE, Release, find_release

FASTEST: Final = 500.0
"""Default cluster seconds per real second: a five-minute grace period takes 0.6 s, GFD's minute 0.12 s."""
FAST_NODES: Final = 2
"""Number of nodes up to which a cluster runs that fast. More nodes mean more work per simulated second, and time
limits of components (five minutes for a pod to terminate) must not expire because the machine is too slow."""
ON_ANOTHER_SERVER: Final = 0.2
"""Fraction of that speed for nodes that join a real API server, where a write takes about five times as long (5 ms) and
kube-scheduler retries after a real second. On two cores the cases also pass at full speed, 20 s faster, but then
load on the machine exhausts the time limits."""
MOST_GPUS: Final = 16
"""Largest number of GPUs of a node."""


class OptionError(ValueError):
    """An option has an invalid value; the message says which values are valid."""


@dataclass(frozen=True)
class SimOptions:
    """Options of a simulated cluster.

    Attributes:
        gpu_model: GPU board, as accepted by `find_board`; several, separated by commas, are assigned in turn.
        gpus_per_node: Number of GPUs of each node, 1 to 16.
        gpu_nodes: Number of nodes; 0 for a cluster without GPUs.
        faults: Names of the faults to switch on.
        seed: Seed of the UUIDs; the same options give the same UUIDs.
        scale: Cluster seconds per real second; 1 for real time, None for `time_scale` or `attached_time_scale`.
        operator: Whether the GPU Operator is installed. Without it nobody advertises the GPUs, and the options below
            have no effect, except `node_labels` and `reaction`.
        release: Operator release whose components to simulate.
        strategy: ClusterPolicy `spec.mig.strategy` at the start; empty to omit it.
        config_default: `migManager.config.default`: `all-disabled`, or empty for no default.
        custom_config: Text of a mig-parted file for `migManager.config.name`; None to generate configurations.
        with_reboot: Whether mig-manager may reboot nodes (WITH_REBOOT).
        node_labels: Labels of the nodes at registration.
        reaction: Real seconds that scheduler, DaemonSet controller and operator wait before they react to a change. As
            with the real ones, a client that creates an object can then update it first. 0 for no wait.

    Raises:
        OptionError: A number or a strategy is out of range.
        UnknownModelError, UnknownFaultError, UnknownReleaseError: The name is unknown; the message lists the known
            ones.
    """

    gpu_model: str = "h100-80gb-hbm3"
    gpus_per_node: int = 8
    gpu_nodes: int = 2
    faults: tuple[str, ...] = ()
    seed: int = 0
    scale: float | None = None
    operator: bool = True
    release: str = DEFAULT_RELEASE
    strategy: str = Strategy.SINGLE
    config_default: str = "all-disabled"
    custom_config: str | None = None
    with_reboot: bool = False
    node_labels: Mapping[str, str] = field(default_factory=dict)
    reaction: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.gpus_per_node <= MOST_GPUS:
            raise OptionError(f"a node can have 1 to {MOST_GPUS} GPUs, not {self.gpus_per_node}")
        if self.gpu_nodes < 0:
            raise OptionError(f"a cluster cannot have {self.gpu_nodes} nodes")
        if self.scale is not None and self.scale <= 0:
            raise OptionError(f"the time scale must be more than zero, not {self.scale}")
        if self.strategy and self.strategy not in tuple(Strategy):
            raise OptionError(f"no strategy {self.strategy}; there are: {', '.join(Strategy)}")
        if self.config_default not in ("all-disabled", ""):
            raise OptionError(f"the default configuration is all-disabled or empty, not {self.config_default}")
        Faults(self.faults)
        self.boards()
        self.find_release()

    @property
    def time_scale(self) -> float:
        """Cluster seconds per real second: `scale` if set, else 500 for two nodes and proportionally less for more."""
        return self.scale or FASTEST * FAST_NODES / max(self.gpu_nodes, FAST_NODES)

    @property
    def attached_time_scale(self) -> float:
        """The same for nodes that join another server: `scale` if set, else a fifth of that."""
        return self.scale or self.time_scale * ON_ANOTHER_SERVER

    def boards(self) -> tuple[tuple[GpuModel, Board], ...]:
        """Return the model and board of each GPU of a node."""
        named = [find_board(name.strip()) for name in self.gpu_model.split(",")]
        return tuple(islice(cycle(named), self.gpus_per_node))

    def find_release(self) -> Release:
        """Return the release."""
        return find_release(self.release)
