"""Reasons for which the suite does not change a cluster, or stops changing it."""

from __future__ import annotations

from conformance.cluster.errors import ClusterError


class ForeignChangeError(ClusterError):
    """Somebody else changed what this run is testing (strategy, configuration or a node's `mig.config`)."""


class LeaseHeldError(ClusterError):
    """Another run of the suite is using this cluster, or took it over from this one."""


class NodeInUseError(ClusterError):
    """Pods of others hold GPUs of a node that was to be reconfigured."""
