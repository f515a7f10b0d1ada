"""The options of a simulated cluster, for `python -m conformance.sim` and for the suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import yaml

from conformance.flags import OptionError, flag, number, on_or_off, path, whole_number, why_unreadable
from conformance.sim.faults import Faults
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.models import Board, GpuModel, find_board
from conformance.spec.names import Strategy
from conformance.spec.releases import DEFAULT_RELEASE, Release, find_release
from conformance.spec.without_mig import board_without_mig

FASTEST: Final = 500.0
"""Default of cluster seconds per real second: five minutes take 0.6 s, the minute between two GFD runs 0.12 s."""
FAST_NODES: Final = 2
"""Number of nodes up to which a cluster runs at `FASTEST`. More nodes mean more work per simulated second, and the time
limits of components (five minutes for a pod to terminate) must not expire while the host is still working."""
ON_ANOTHER_SERVER: Final = 0.2
"""Fraction of that speed for nodes that join a real API server. There a write takes about 5 ms, five times as long, and
kube-scheduler retries after a real second. Measured with the cases on two cores: at full speed they pass too, 20 s
faster, but time limits expire as soon as the host is under load."""
OTHER_NODES: Final = "tesla-t4"
"""Default of `other_nodes` for a run of the suite."""
NO_NODES: Final = "none"
MOST_GPUS: Final = 16
"""Maximum number of GPUs per node."""


def _text_of(file: str) -> str:
    return Path(file).read_text(encoding="utf-8")


GITOPS_KINDS: Final = ("ClusterPolicy", "ConfigMap", "Node")
"""Kinds of objects that a GitOps controller can keep."""


def _objects_of(file: str) -> tuple[dict[str, Any], ...]:
    """Read the objects of a YAML file.

    Raises:
        OptionError: The file is no YAML, or has something else than such objects.
    """
    try:
        found = tuple(one for one in yaml.safe_load_all(_text_of(file)) if one is not None)
    except yaml.YAMLError as error:
        raise OptionError(f"{file} is no YAML: {why_unreadable(error)}") from error
    for one in found:
        if (
            not isinstance(one, dict)
            or one.get("kind") not in GITOPS_KINDS
            or not (one.get("metadata") or {}).get("name")
        ):
            raise OptionError(f"{file} must have objects with a name, each a {', '.join(GITOPS_KINDS)}")
    return found


@dataclass(frozen=True)
class SimOptions:
    """The options of a simulated cluster. The suite has them too, except those with `shared=False`.

    Attributes:
        gpu_model: Board of the GPUs, as `find_board` names it; several, separated by commas, alternate on each node.
        gpus_per_node: Number of GPUs per node, 1 to 16.
        gpu_nodes: Number of nodes with GPUs; 0 creates a cluster without nodes.
        other_nodes: Boards of further nodes, each with one GPU that cannot do MIG; `none` for no such node. Empty
            means none, or `OTHER_NODES` in a run of the suite.
        faults: Names of the faults to switch on.
        seed: Seed of the UUIDs; the same options give the same UUIDs.
        scale: Cluster seconds per real second; 1 is real time. None chooses one by the number of nodes; see
            `time_scale` and `attached_time_scale`.
        operator: Whether the GPU Operator is installed. Without it nobody advertises the GPUs of the nodes, and of the
            options below only `audit_log`, `node_labels` and `reaction` have an effect.
        release: Operator release to simulate.
        strategy: Initial `spec.mig.strategy` of the ClusterPolicy; empty to omit it.
        config_default: `migManager.config.default`: `all-disabled`, or empty for no default.
        custom_config: Text of a mig-parted file for `migManager.config.name`; None to let mig-manager generate one.
        with_reboot: Whether mig-manager may reboot nodes (WITH_REBOOT).
        mig_manager: `migManager.enabled` of the ClusterPolicy.
        plugin_config: Text of a configuration file for `devicePlugin.config`, which device plugin and GPU Feature
            Discovery of every node read; None for no file.
        cdi: `spec.cdi.enabled` of the ClusterPolicy; None for the default of the release's chart.
        audit_log: File to which the embedded API server appends a line per request; None for no log.
        runs_suite: Whether a pod with the image `mig-conformance` runs the installed suite, as a process of this
            machine. Who may create pods can then run code here.
        gitops: Objects that a GitOps controller keeps as they are given here, whoever changes them; None for no such
            controller.
        node_labels: Initial labels of the nodes.
        reaction: Minimum real seconds before scheduler, DaemonSet controller and operator react to a change, so that a
            client that creates an object and then updates it finishes first, as in a real cluster. 0 for none.

        normal_events: Whether scheduler, kubelet and DaemonSet controller write events of type Normal as well.

    Raises:
        OptionError: A number or a strategy is out of range, or a model cannot be simulated.
        UnknownModelError, UnknownFaultError, UnknownReleaseError: A name is unknown; the message lists the known ones.
    """

    gpu_model: str = field(
        default="h100-80gb-hbm3",
        metadata=flag(
            "--gpu-model",
            metavar="NAME[,NAME]",
            help="model of the simulated GPUs, or several that alternate; an unknown name lists all models",
        ),
    )
    gpus_per_node: int = field(
        default=8,
        metadata=flag("--gpus-per-node", metavar="N", read=whole_number, help=f"GPUs per node, 1 to {MOST_GPUS}"),
    )
    gpu_nodes: int = field(
        default=2,
        metadata=flag("--gpu-nodes", metavar="N", read=whole_number, help="number of simulated nodes with GPUs"),
    )
    other_nodes: str = field(
        default="",
        metadata=flag(
            "--other-nodes",
            metavar="NAME[,NAME]",
            help="further nodes with one GPU that cannot do MIG: tesla-t4, l40s, geforce-rtx-4090; or none",
            default="tesla-t4 in a run of the suite, else none",
        ),
    )
    faults: tuple[str, ...] = field(
        default=(), metadata=flag("--fault", metavar="NAME", help="switch on a fault, see --list-faults")
    )
    seed: int = field(default=0, metadata=flag("--seed", metavar="N", read=whole_number, help="seed of the UUIDs"))
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
        metadata=flag("--no-operator", help="do not install the GPU Operator", shared=False),
    )
    release: str = field(
        default=DEFAULT_RELEASE,
        metadata=flag(
            "--release", metavar="NAME", help="operator release to simulate; an unknown name lists all releases"
        ),
    )
    strategy: str = field(
        default=Strategy.SINGLE,
        metadata=flag("--strategy", help=f"initial MIG strategy: {', '.join(Strategy)}", shared=False),
    )
    config_default: str = ALL_DISABLED
    custom_config: str | None = field(
        default=None,
        metadata=flag(
            "--config-file",
            metavar="FILE",
            read=_text_of,
            help="file with mig-parted configurations for mig-manager",
            shared=False,
        ),
    )
    with_reboot: bool = field(
        default=False, metadata=flag("--with-reboot", help="let mig-manager reboot nodes (WITH_REBOOT)", shared=False)
    )
    mig_manager: bool = field(
        default=True,
        metadata=flag("--no-mig-manager", help="switch mig-manager off in the ClusterPolicy", shared=False),
    )
    plugin_config: str | None = field(
        default=None,
        metadata=flag(
            "--plugin-config",
            metavar="FILE",
            read=_text_of,
            help="configuration file of the device plugin (devicePlugin.config), for example with sharing",
            shared=False,
        ),
    )
    cdi: bool | None = field(
        default=None,
        metadata=flag(
            "--cdi",
            metavar="on|off",
            read=on_or_off,
            help="whether containers get their devices through CDI",
            default="as the chart of the release has it: on from v25.10",
        ),
    )
    audit_log: Path | None = field(
        default=None,
        metadata=flag(
            "--audit-log",
            metavar="FILE",
            read=path,
            help="append a JSON line for every request to the API server: method, path, query, user agent",
            shared=False,
        ),
    )
    runs_suite: bool = field(
        default=False,
        metadata=flag(
            "--run-suite",
            help="run the installed suite, as a process of this machine, for pods with the image mig-conformance; "
            "who may create pods can then run code here",
            shared=False,
        ),
    )
    gitops: Sequence[dict[str, Any]] | None = field(
        default=None,
        metadata=flag(
            "--gitops",
            metavar="FILE",
            read=_objects_of,
            help="keep the objects of this YAML file as they are there, as Argo CD with self-heal does",
            shared=False,
        ),
    )
    node_labels: Mapping[str, str] = field(default_factory=dict)
    reaction: float = 0.0
    normal_events: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.gpus_per_node <= MOST_GPUS:
            raise OptionError(f"a node can have 1 to {MOST_GPUS} GPUs, not {self.gpus_per_node}")
        if self.gpu_nodes < 0:
            raise OptionError(f"a cluster cannot have {self.gpu_nodes} nodes")
        if self.scale is not None and self.scale <= 0:
            raise OptionError(f"the time scale must be more than zero, not {self.scale}")
        if self.strategy and self.strategy not in tuple(Strategy):
            raise OptionError(f"unknown strategy {self.strategy}; there are: {', '.join(Strategy)}")
        if self.config_default not in (ALL_DISABLED, ""):
            raise OptionError(f"the default configuration must be {ALL_DISABLED} or empty, not {self.config_default}")
        Faults(self.faults)
        self.boards()
        self.other_boards()
        self.find_release()

    @property
    def time_scale(self) -> float:
        """Cluster seconds per real second: `scale` if given, else 500 for up to two nodes and less for more."""
        return self.scale or FASTEST * FAST_NODES / max(self.gpu_nodes, FAST_NODES)

    @property
    def attached_time_scale(self) -> float:
        """The same for nodes that join another API server: `scale` if given, else a fifth of `time_scale`."""
        return self.scale or self.time_scale * ON_ANOTHER_SERVER

    def boards(self) -> tuple[tuple[GpuModel, Board], ...]:
        """Return the model and board of each GPU of a node."""
        named = [find_board(name.strip()) for name in self.gpu_model.split(",")]
        for model, board in named:
            if model.not_simulated:
                raise OptionError(f"{board.slug} cannot be simulated: {model.not_simulated}")
        return tuple(islice(cycle(named), self.gpus_per_node))

    def other_boards(self) -> tuple[tuple[GpuModel, Board], ...]:
        """Return the model and board of each node without MIG."""
        named = [name.strip() for name in self.other_nodes.split(",") if name.strip()]
        return () if named == [NO_NODES] else tuple(map(board_without_mig, named))

    def with_other_nodes(self) -> SimOptions:
        """Return the options with the default of a run of the suite: nodes that must be left alone belong to it."""
        return self if self.other_nodes or not self.gpu_nodes else replace(self, other_nodes=OTHER_NODES)

    def find_release(self) -> Release:
        """Return the release to simulate."""
        return find_release(self.release)
