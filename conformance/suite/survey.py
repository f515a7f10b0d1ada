"""What a run finds before it plans: strategy, targets, their cells, and the nodes that must not be changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from conformance.backends.backend import Permissions
from conformance.cluster.errors import ClusterError
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.taints import keeps_pods_away
from conformance.operations.users import gpu_users
from conformance.preflight.finding import PreflightFinding
from conformance.spec.names import (
    INSTANCE_TYPE,
    MIG_CONFIG,
    MIG_CONFIG_STATE,
    SIMULATED_INSTANCE_TYPE,
    State,
    Strategy,
)
from conformance.suite.cells import Cell
from conformance.suite.options import Options
from conformance.suite.planning import Planner
from conformance.suite.preflight import unmanaged
from conformance.suite.starting_state import why_not_restorable
from conformance.suite.targets import Target, find_targets


def survey(
    options: Options,
    cluster: MigCluster,
    permissions: Permissions,
    refused: Mapping[str, str] = MappingProxyType({}),
    *,
    simulated: bool,
    preflight: Iterable[PreflightFinding] = (),
) -> Planner:
    """Look at the cluster as it is.

    Args:
        options: The options of the run.
        cluster: The cluster.
        permissions: What the run may do.
        refused: Why a node must not be changed, by name; the empty name stands for every node.
        simulated: Whether all GPUs are simulated.
        preflight: What preflight found.

    Raises:
        ClusterError: There are no nodes to test, a configuration is unknown, or the strategy is.
    """
    targets = {target.name: target for target in find_targets(cluster, options.nodes)}
    _check_configurations(options, targets)
    strategy = _strategy(cluster)
    return Planner(
        targets=targets,
        options=options,
        permissions=permissions,
        strategy=strategy,
        found=_found(cluster, targets, strategy),
        in_use=_must_not_change(cluster, targets, refused),
        simulated=simulated or any(_is_simulated(cluster, name) for name in targets),
        labelled={name: value for name in targets if (value := cluster.node(name).labels.get(MIG_CONFIG))},
        unmanaged=unmanaged(preflight, targets),
    )


def _is_simulated(cluster: MigCluster, node: str) -> bool:
    return cluster.node(node).labels.get(INSTANCE_TYPE) == SIMULATED_INSTANCE_TYPE


def _check_configurations(options: Options, targets: Mapping[str, Target]) -> None:
    offered = {name for target in targets.values() for name in target.kinds}
    if unknown := sorted(set(options.configurations) - offered):
        raise ClusterError(f"unknown configuration {', '.join(unknown)}; the nodes offer: {', '.join(sorted(offered))}")


def _strategy(cluster: MigCluster) -> Strategy:
    policy = cluster.policy()
    try:
        return policy.effective_strategy
    except ValueError as error:
        named = repr(policy.strategy)
        raise ClusterError(f"ClusterPolicy has mig.strategy {named}; there are none, single and mixed") from error


def _found(cluster: MigCluster, targets: Mapping[str, Target], strategy: Strategy) -> dict[str, Cell]:
    found = {}
    for name in targets:
        labels = cluster.node(name).labels
        if labels.get(MIG_CONFIG_STATE) == State.SUCCESS:
            found[name] = Cell(strategy, labels.get(MIG_CONFIG, ""))
    return found


def _must_not_change(cluster: MigCluster, targets: Mapping[str, Target], refused: Mapping[str, str]) -> dict[str, str]:
    """Why a node must not be changed, by name: it is in use or tainted, or it could not be put back."""
    found = {}
    for name, target in targets.items():
        if users := gpu_users(cluster, name):
            pods = ", ".join(map(str, users))
            found[name] = f"node {name} is in use: {pods} hold GPUs; end them or choose another --node"
        elif why := refused.get(name, refused.get("")):
            found[name] = f"node {name} is left as it is: {why}"
        elif taints := [taint for taint in cluster.node(name).taints if keeps_pods_away(taint)]:
            key = taints[0].partition("=")[0]
            found[name] = (
                f"node {name} has the taint {', '.join(taints)}, which keeps the pods of the suite away; "
                f"`kubectl taint node {name} {key}-` removes it, or choose another --node"
            )
        elif why := why_not_restorable(cluster.node(name), target):
            found[name] = f"node {name} could not be put back: {why}"
    return found
