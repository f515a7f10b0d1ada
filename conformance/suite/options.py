"""What the user asked for, read from the options of the command line into one typed object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from conformance.backends.backend import Permissions
from conformance.backends.simulated import Simulation
from conformance.cluster.limits import Limits


@dataclass(frozen=True)
class Options:
    """What the user asked for.

    Attributes:
        cluster: Where the API server comes from, one of `BACKENDS`.
        kubeconfig: Kubeconfig of a live cluster; None for the one kubectl would use.
        context: Context of the kubeconfig; None for its current one.
        nodes: Names of the nodes to test; empty for every MIG-capable node.
        configurations: Configurations to test; empty for all that a node offers.
        simulation: What simulated GPU nodes are made of.
        simulate_gpus: Whether simulated GPU nodes join a live cluster.
        permissions: What may be done to a live cluster.
        image: Image of workload pods.
        limits: The table of time limits.
        plan: Whether to print what a run would do, and end.
        sample: Nodes of each GPU model that may be changed; None for all.
        max_unavailable: Nodes that are reconfigured at once: a number, or a share such as `25%`; None for all.
        canary: Nodes of the first wave, whose failure ends the run; None for no such wave.
    """

    cluster: str
    kubeconfig: Path | None
    context: str | None
    nodes: tuple[str, ...]
    configurations: tuple[str, ...]
    simulation: Simulation
    simulate_gpus: bool
    permissions: Permissions
    image: str
    limits: Limits
    plan: bool = False
    sample: int | None = None
    max_unavailable: str | None = None
    canary: int | None = None

    def nodes_at_once(self, total: int) -> int:
        """How many of so many nodes are reconfigured at once; a share is rounded down, to one at the least."""
        if self.max_unavailable is None:
            return total
        number = int(self.max_unavailable.removesuffix("%"))
        return max(total * number // 100, 1) if self.max_unavailable.endswith("%") else number
