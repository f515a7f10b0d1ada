"""Errors for which the suite refuses to change a cluster or stops changing it."""

from __future__ import annotations

from conformance.cluster.errors import ClusterError


class ForeignChangeError(ClusterError):
    """Somebody else changed the strategy, the name of the mig-parted ConfigMap, or a tested node's `mig.config`."""


class LeaseHeldError(ClusterError):
    """Another run of the suite holds the lease of this cluster, or this run lost it."""


class NodeInUseError(ClusterError):
    """Pods of other users hold GPUs of a node that was about to be reconfigured."""
