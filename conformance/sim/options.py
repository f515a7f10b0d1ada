"""What a simulated cluster is made of; its fields are the options of `python -m conformance.sim` and of the suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from conformance.flags import OptionError, flag, number, path, whole_number
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


def _text_of(file: str) -> str:
    return Path(file).read_text(encoding="utf-8")


@dataclass(frozen=True)
class SimOptions:
    """The make-up of a simulated cluster. The suite offers the options that are not `shared=False` too.

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
        audit_log: File to which the embedded API server adds a line for every request; None for no log.
        node_labels: Labels that the nodes have from the start.
        reaction: Real seconds that scheduler, DaemonSet controller and operator let pass before they answer to what is
            new. A person, or a program that creates an object and writes to it again, then comes first, as with the
            real ones. 0 for none.

    Raises:
        OptionError: A number or a strategy is out of range.
        UnknownModelError, UnknownFaultError, UnknownReleaseError: No such name; the message lists those there are.
    """

    gpu_model: str = field(
        default="h100-80gb-hbm3",
        metadata=flag(
            "--gpu-model",
            metavar="NAME[,NAME]",
            help="model of the simulated GPUs, or several that are dealt out in turn; a wrong name lists all there are",
        ),
    )
    gpus_per_node: int = field(
        default=8,
        metadata=flag("--gpus-per-node", metavar="N", read=whole_number, help=f"GPUs of each node, 1 to {MOST_GPUS}"),
    )
    gpu_nodes: int = field(
        default=2, metadata=flag("--gpu-nodes", metavar="N", read=whole_number, help="simulated nodes with GPUs")
    )
    faults: tuple[str, ...] = field(
        default=(), metadata=flag("--fault", metavar="NAME", help="switch a defect on, see --list-faults")
    )
    seed: int = field(
        default=0, metadata=flag("--seed", metavar="N", read=whole_number, help="seed of everything random")
    )
    scale: float | None = field(
        default=None,
        metadata=flag(
            "--time-scale",
            metavar="X",
            read=number,
            help="cluster seconds per real second; 1 is real time",
            default=f"{FASTEST:g} for {FAST_NODES} nodes, less for more",
        ),
    )
    operator: bool = field(
        default=True,
        metadata=flag("--no-operator", help="a cluster before the GPU Operator is installed", shared=False),
    )
    release: str = field(
        default=DEFAULT_RELEASE,
        metadata=flag(
            "--release", metavar="NAME", help="operator release to behave as; a wrong name lists all there are"
        ),
    )
    strategy: str = field(
        default=Strategy.SINGLE,
        metadata=flag("--strategy", help=f"MIG strategy at the start: {', '.join(Strategy)}", shared=False),
    )
    config_default: str = "all-disabled"
    custom_config: str | None = field(
        default=None,
        metadata=flag(
            "--config-file",
            metavar="FILE",
            read=_text_of,
            help="mig-parted configuration for mig-manager",
            shared=False,
        ),
    )
    with_reboot: bool = field(
        default=False, metadata=flag("--with-reboot", help="let mig-manager reboot nodes (WITH_REBOOT)", shared=False)
    )
    audit_log: Path | None = field(
        default=None,
        metadata=flag(
            "--audit-log",
            metavar="FILE",
            read=path,
            help="write a line of JSON for every request to the API server: method, path, query, user agent",
            shared=False,
        ),
    )
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
