"""What the user asked for: a field is an option, and the only place where it is described."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from conformance.backends.backend import Permissions
from conformance.backends.names import BACKENDS, DEFAULT_BACKEND
from conformance.backends.simulation import SimOptions
from conformance.cluster.limits import Limits, load_limits
from conformance.flags import flag, one_of, path, positive_number
from conformance.suite.pace import MaxUnavailable, max_unavailable

DEFAULT_IMAGE: Final = "docker.io/library/python:3.13-slim"
"""What workload pods run: the runtime brings nvidia-smi and NVML into any image, the probe needs a Python."""


@dataclass(frozen=True)
class Options:
    """What the user asked for.

    Attributes:
        cluster: Where the API server comes from, one of `BACKENDS`.
        kubeconfig: Kubeconfig of a live cluster; None for the one kubectl would use.
        context: Context of the kubeconfig; None for its current one.
        nodes: Names of the nodes to test; empty for every MIG-capable node.
        configurations: Names of the configurations to test; empty for all that a node offers.
        sample: Nodes of each GPU model that disruptive scenarios take; None for all.
        max_unavailable: How many nodes may be reconfigured at the same time; None for all.
        canary: Nodes that are reconfigured before all others; None for none.
        plan: Whether to print what a run would do, and do nothing.
        image: Image of workload pods.
        limits: The table of time limits.
        simulate_gpus: Whether simulated GPU nodes join a live cluster.
        list_faults: Whether to list the defects that can be switched on, and do nothing.
        simulation: What simulated GPU nodes are made of.
        permissions: What may be done to a live cluster.
    """

    cluster: str = field(
        default=DEFAULT_BACKEND,
        metadata=flag(
            "--cluster", read=one_of(*BACKENDS), help=f"where the API server comes from: {', '.join(BACKENDS)}"
        ),
    )
    kubeconfig: Path | None = field(
        default=None,
        metadata=flag(
            "--kubeconfig", metavar="FILE", read=path, help="live: kubeconfig", default="the one kubectl would use"
        ),
    )
    context: str | None = field(
        default=None, metadata=flag("--context", help="live: context of the kubeconfig", default="its current one")
    )
    nodes: tuple[str, ...] = field(
        default=(),
        metadata=flag("--node", metavar="NAME", help="test this node only", default="every MIG-capable node"),
    )
    configurations: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            *("--configuration", "--geometry"),
            metavar="NAME",
            help="test this configuration only",
            default="all that the node offers",
        ),
    )
    sample: int | None = field(
        default=None,
        metadata=flag(
            "--sample",
            metavar="N",
            read=positive_number,
            help="nodes of each GPU model that disruptive scenarios take",
            default="all",
        ),
    )
    max_unavailable: MaxUnavailable | None = field(
        default=None,
        metadata=flag(
            "--max-unavailable",
            metavar="N|P%",
            read=max_unavailable,
            help="nodes that may be reconfigured at the same time, as a number or a percentage",
            default="all",
        ),
    )
    canary: int | None = field(
        default=None,
        metadata=flag(
            "--canary",
            metavar="N",
            read=positive_number,
            help="nodes that are reconfigured before all others",
            default="none",
        ),
    )
    plan: bool = field(default=False, metadata=flag("--plan", help="print what a run would do, and exit"))
    image: str = field(
        default=DEFAULT_IMAGE, metadata=flag("--image", help="image with a Python, for the pods of the suite")
    )
    limits: Limits = field(
        default_factory=Limits,
        metadata=flag(
            "--timeouts",
            metavar="FILE",
            read=lambda text: load_limits(path(text)),
            help="YAML or TOML file that overrides time limits, see conformance/cluster/limits.py",
        ),
    )
    simulate_gpus: bool = field(
        default=False,
        metadata=flag("--simulate-gpus", help="with --cluster live: join simulated GPU nodes to that cluster"),
    )
    list_faults: bool = field(
        default=False,
        metadata=flag("--list-faults", help="list the defects for --fault with what they break, and exit"),
    )
    simulation: SimOptions = field(default_factory=SimOptions)
    permissions: Permissions = field(default_factory=Permissions)

    def nodes_at_once(self, total: int) -> int:
        """How many of `total` nodes may be reconfigured at the same time."""
        return self.max_unavailable.nodes_at_once(total) if self.max_unavailable else total
