"""Errors for which the suite refuses to change a cluster or stops changing it. None of them is a finding."""

from __future__ import annotations

from conformance.cluster.errors import InconclusiveError


class ForeignChangeError(InconclusiveError):
    """Somebody else changed the strategy or the name of the mig-parted ConfigMap, which concerns every node."""


class OperatorGoneError(ForeignChangeError):
    """Somebody deleted the ClusterPolicy, so that nobody answers any more."""


class LeaseHeldError(InconclusiveError):
    """Another run of the suite holds the lease of this cluster, or this run lost it."""


class NodeLostError(InconclusiveError):
    """A node can no longer be judged: somebody else changed its `mig.config`, or it was deleted or is not Ready.

    Attributes:
        node: Name of the node.
    """

    def __init__(self, node: str, message: str) -> None:
        super().__init__(message)
        self.node = node


class NodeInUseError(InconclusiveError):
    """Pods of other users hold GPUs of a node that was about to be reconfigured."""
