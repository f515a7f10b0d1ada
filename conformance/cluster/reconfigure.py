"""Brings nodes to a configuration by the safe protocol of mig-manager.md 7 (mig-parted v0.15.0)."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.cluster.client import Cluster
from conformance.cluster.evidence import Reconfiguration


def reconfigure(cluster: Cluster, wanted: Mapping[str, str], *, settle: bool = True) -> dict[str, Reconfiguration]:
    """Ask mig-manager for a configuration on each of the given nodes, on all at the same time.

    For each node: mig-manager must be Ready and idle; then the state label is removed and `mig.config` set (removed
    first where it had that value already, since mig-manager acts on changes only); then the first `success` or `failed`
    after that is the answer. A `failed` ends the wait for its node at once. What the product does wrong is evidence,
    not an exception.

    Args:
        cluster: The cluster.
        wanted: Configuration by node name.
        settle: Also wait until every operand that ran before is back: Ready, or known to be crashing, with a new pod
            where it was paused.

    Returns:
        The evidence by node name.

    Raises:
        NodeInUseError: Pods of others hold GPUs of a node; named in the message; nothing was changed on any node.
        WaitTimeout: mig-manager is not Ready and idle within `limits.manager_ready`; nothing was changed on any node.
        ForeignChangeError: Somebody else changed `mig.config` or the strategy meanwhile.
        ApiError, UnreachableError: As everywhere.
    """
    raise NotImplementedError(cluster, wanted, settle)
