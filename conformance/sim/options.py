"""What a simulated cluster is made of: the options of `python -m conformance.sim` and of the suite."""

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
"""Cluster seconds per real second unless asked for: five minutes of grace take 0.6 s, GFD's minute 0.12 s."""
FAST_NODES: Final = 2
"""Nodes up to which a cluster runs that fast. More nodes mean more work for the same simulated second, and limits of
components (five minutes for a pod to go) must not run out while the machine is still at it."""
ON_ANOTHER_SERVER: Final = 0.2
"""Share of that speed for nodes that join a real API server. A write takes that about five times as long, 5 ms, and
kube-scheduler tries again after a real second. Measured with the cases on two cores: they pass at full speed too, 20 s
faster, but under load nothing is left of the limits."""
MOST_GPUS: Final = 16
"""GPUs that one node can have."""


class OptionError(ValueError):
    """An option has a value that no cluster can be made of; the message says what is possible."""


@dataclass(frozen=True)
class SimOptions:
    """The make-up of a simulated cluster.

    Attributes:
        gpu_model: Board of the GPUs, as `find_board` names them; several, with commas between, are dealt out in turn.
        gpus_per_node: GPUs of each node, 1 to 16.
        gpu_nodes: Nodes with GPUs; 0 makes a cluster without any.
        faults: Names of the defects to switch on.
        seed: What UUIDs are made of; the same options give the same UUIDs.
        scale: Cluster seconds per real second; 1 is real time. None chooses: `time_scale`, `attached_time_scale`.
        operator: Whether the GPU Operator is installed, with what it brings; without it the nodes have GPUs that nobody
            advertises, and what follows here but `node_labels` and `reaction` has no effect.
        release: Operator release whose components the simulated ones behave as.
        strategy: ClusterPolicy `spec.mig.strategy` at the start; empty leaves it out.
        config_default: `migManager.config.default`: `all-disabled`, or empty for no default.
        custom_config: Text of a mig-parted file for `migManager.config.name`; None: configurations are generated.
        with_reboot: Whether mig-manager may reboot nodes (WITH_REBOOT).
        node_labels: Labels that the nodes have from the start.
        reaction: Real seconds that scheduler, DaemonSet controller and operator let pass before they answer to what is
            new. A person, or a program that creates an object and writes to it again, then comes first, as with the
            real ones. 0 for none.

    Raises:
        OptionError: A number or a strategy is out of range.
        UnknownModelError, UnknownFaultError, UnknownReleaseError: No such name; the message lists those there are.
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
        """Cluster seconds per real second: `scale` if given, else 500 for two nodes and less in proportion for more."""
        return self.scale or FASTEST * FAST_NODES / max(self.gpu_nodes, FAST_NODES)

    @property
    def attached_time_scale(self) -> float:
        """The same for nodes that join another server: `scale` if given, else a fifth of that speed."""
        return self.scale or self.time_scale * ON_ANOTHER_SERVER

    def boards(self) -> tuple[tuple[GpuModel, Board], ...]:
        """Return model and board of each GPU of a node."""
        named = [find_board(name.strip()) for name in self.gpu_model.split(",")]
        return tuple(islice(cycle(named), self.gpus_per_node))

    def find_release(self) -> Release:
        """Return what the release ships."""
        return find_release(self.release)
