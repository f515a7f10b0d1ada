"""The options of a run; each option is defined and described by one field only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from conformance.backends.backend import Permissions
from conformance.backends.names import BACKENDS, DEFAULT_BACKEND
from conformance.backends.simulation import SimOptions
from conformance.cluster.limits import TIMEOUTS, Limits
from conformance.expect.versions import Declared
from conformance.flags import flag, member_of, one_of, path, positive_number
from conformance.suite.declared_versions import DECLARED_VERSIONS
from conformance.suite.pace import MaxUnavailable, max_unavailable

DEFAULT_IMAGE: Final = "docker.io/library/python:3.13-slim"
"""Image of the pods of the suite: the probe needs Python 3, the container runtime adds nvidia-smi and NVML."""


class RunProfile(StrEnum):
    """Which cases a run contains."""

    CORE = "core"
    """What a healthy cluster shows as long as nothing is broken."""
    FULL = "full"
    """All cases: failures, reboots and changes of the cluster as well."""


@dataclass(frozen=True)
class Options:
    """The options of a run.

    Attributes:
        cluster: Where the API server comes from, one of `BACKENDS`.
        kubeconfig: Kubeconfig of a live cluster; None for the one that kubectl would use.
        context: Context of the kubeconfig; None for its current one.
        nodes: Names of the nodes to test; empty for every MIG-capable node.
        configurations: Names of the configurations to test; empty for all that a node offers.
        profile: Which cases the run contains.
        sample: How many nodes of each GPU model may be changed; others are only read. None for all.
        max_unavailable: How many nodes are reconfigured at the same time; None for all.
        canary: How many nodes form the first wave; if a case fails there, no other wave begins. None: no canary.
        cordon: Whether to cordon nodes while they are changed, so that no pod of a user is scheduled there.
        plan: Whether to print what a run would do and exit.
        image: Image of the pods of the suite.
        limits: Time limits of all waits.
        declared_versions: Declared images by component, from Helm values; empty if no file was given.
        publish: Whether to write the verdict into the cluster at the end.
        publish_namespace: Namespace of the published verdict; None for the namespace of the operator.
        unpublish: Whether to remove a published verdict and exit.
        simulate_gpus: Whether simulated GPU nodes join a live cluster.
        list_faults: Whether to list the values of `--fault` and exit.
        simulation: Options of the simulated GPU nodes.
        permissions: What the suite may do to a live cluster.
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
        metadata=flag("--node", metavar="NAME", help="test only this node", default="every MIG-capable node"),
    )
    configurations: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            *("--configuration", "--geometry"),
            metavar="NAME",
            help="test only this configuration",
            default="all that the nodes offer",
        ),
    )
    profile: RunProfile = field(
        default=RunProfile.FULL,
        metadata=flag(
            "--profile",
            read=member_of(RunProfile),
            help="core: what a healthy cluster shows; full: failures, reboots and changes of the cluster as well",
        ),
    )
    sample: int | None = field(
        default=None,
        metadata=flag(
            "--sample",
            metavar="N",
            read=positive_number,
            help="change at most N nodes of each GPU model and only read the others",
            default="all",
        ),
    )
    max_unavailable: MaxUnavailable | None = field(
        default=None,
        metadata=flag(
            "--max-unavailable",
            metavar="N|P%",
            read=max_unavailable,
            help="reconfigure at most this many nodes, or this percentage of them, at the same time",
            default="all",
        ),
    )
    canary: int | None = field(
        default=None,
        metadata=flag(
            "--canary",
            metavar="N",
            read=positive_number,
            help="reconfigure N nodes first; end the run before any other node is changed if a case has failed there",
            default="none",
        ),
    )
    cordon: bool = field(
        default=True,
        metadata=flag(
            "--no-cordon", help="do not cordon the nodes under test, for example because they are drained already"
        ),
    )
    plan: bool = field(
        default=False, metadata=flag("--plan", help="print what a run would do and how long it would take, and exit")
    )
    image: str = field(
        default=DEFAULT_IMAGE, metadata=flag("--image", help="image for the pods of the suite; must contain Python 3")
    )
    limits: Limits = field(
        default_factory=Limits,
        metadata=TIMEOUTS,
    )
    declared_versions: Mapping[str, Declared] = field(default_factory=dict, metadata=DECLARED_VERSIONS)
    publish: bool = field(
        default=False,
        metadata=flag(
            "--publish", help="write the verdict into the cluster: annotations of the nodes, a ConfigMap and an Event"
        ),
    )
    publish_namespace: str | None = field(
        default=None,
        metadata=flag(
            "--publish-namespace",
            metavar="NAME",
            help="namespace of the published ConfigMap and Event; it must exist",
            default="the namespace of the operator",
        ),
    )
    unpublish: bool = field(
        default=False,
        metadata=flag("--unpublish", help="with --cluster live: remove what --publish wrote, and exit"),
    )
    simulate_gpus: bool = field(
        default=False,
        metadata=flag("--simulate-gpus", help="with --cluster live: join simulated GPU nodes to that cluster"),
    )
    list_faults: bool = field(
        default=False,
        metadata=flag("--list-faults", help="list the values of --fault with what each breaks, and exit"),
    )
    simulation: SimOptions = field(default_factory=SimOptions)
    permissions: Permissions = field(default_factory=Permissions)

    def nodes_at_once(self, total: int) -> int:
        """Return how many of `total` nodes are reconfigured at the same time."""
        return self.max_unavailable.nodes_at_once(total) if self.max_unavailable else total
