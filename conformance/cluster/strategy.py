"""Changes the strategy of the cluster and waits until every operand has taken it over (gpu-operator.md 3.1, 4.2)."""

from __future__ import annotations

from conformance.cluster.client import Cluster
from conformance.cluster.evidence import StrategyChange
from conformance.spec.names import Strategy


def change_strategy(cluster: Cluster, strategy: Strategy) -> StrategyChange:
    """Patch ClusterPolicy `spec.mig.strategy` and wait until the DaemonSets that carry it rolled on every node.

    Nothing is patched where the strategy is the wanted one already. What the product does wrong is evidence, not an
    exception: an operand that the operator forgets, a roll that stalls on a crashing pod.

    Raises:
        ForeignChangeError: Somebody else changed the strategy meanwhile.
        ApiError, UnreachableError: As everywhere.
    """
    raise NotImplementedError(cluster, strategy)
