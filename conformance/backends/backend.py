"""The interface of backends, and what a run may do to a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from conformance.cluster.clock import ClusterClock
from conformance.flags import flag


class BackendError(Exception):
    """The backend cannot provide the cluster; the message says why and how to fix that."""


@dataclass(frozen=True)
class Permissions:
    """What a run may do to a cluster, beyond reading it.

    Attributes:
        disruptive: Change node labels, reconfigure GPUs, start pods.
        cluster_wide: Change the strategy of the whole cluster.
        reboot: Reboot nodes.
        execute: Run commands in containers of the operator.
    """

    disruptive: bool = field(
        default=False, metadata=flag("--allow-disruptive", help="change node labels, reconfigure GPUs, start pods")
    )
    cluster_wide: bool = field(
        default=False, metadata=flag("--allow-cluster-wide", help="change the strategy of the cluster")
    )
    reboot: bool = field(default=False, metadata=flag("--allow-reboot", help="reboot nodes"))
    execute: bool = field(
        default=False,
        metadata=flag(
            "--allow-exec", help="run nvidia-smi in the operator's driver pod, and read names of processes there"
        ),
    )


READ_ONLY: Final = Permissions()
"""Default for a live cluster."""
EVERYTHING: Final = Permissions(disruptive=True, cluster_wide=True, reboot=True, execute=True)
"""Permissions for simulated GPUs: nobody else uses them."""


@dataclass(frozen=True)
class Attachment:
    """How to reach the cluster.

    Attributes:
        kubeconfig: The file; it is only read.
        context: Context in it; None means its current one.
        clock: The cluster's clock; None means real time.
        permissions: What the run may do.
    """

    kubeconfig: Path
    context: str | None = None
    clock: ClusterClock | None = None
    permissions: Permissions = READ_ONLY


class Backend(Protocol):
    """Provides a cluster. `start` and `stop` are called once each, `stop` also when `start` failed."""

    @property
    def name(self) -> str:
        """Value of `--cluster`."""
        ...

    @property
    def simulated_gpus(self) -> bool:
        """Whether the GPUs are simulated; a verdict on such a cluster says nothing about hardware."""
        ...

    def start(self) -> Attachment:
        """Create the cluster, or attach to it.

        Raises:
            BackendError: The cluster cannot be provided.
        """
        ...

    def stop(self) -> None:
        """Remove what `start` created, but never a cluster that it only attached to. A second call does nothing."""
        ...
