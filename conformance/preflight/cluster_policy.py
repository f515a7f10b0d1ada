"""Checks of the ClusterPolicy: is the operator there, is it content, and does it drive MIG at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from conformance.cluster.views import PolicyView
from conformance.operations.fields import look_up
from conformance.preflight.finding import Seen
from conformance.preflight.ownership import gitops_owner
from conformance.preflight.snapshot import SeenPolicy, Snapshot
from conformance.spec.names import DEPLOY_MIG_MANAGER, MIG_STRATEGY, Strategy

_LOG: Final = "see `kubectl logs -n {namespace} deployment/gpu-operator`"


def no_policy(snapshot: Snapshot) -> Iterator[Seen]:
    """There is no ClusterPolicy, so no GPU Operator that drives MIG."""
    if not snapshot.policies and not snapshot.gpu_clusters:
        unread = any(path.endswith("/clusterpolicies") for path in snapshot.unread)
        if unread:
            yield Seen("cluster", "these credentials may not list ClusterPolicies", "grant list on clusterpolicies")
        else:
            yield Seen("cluster", "there is no ClusterPolicy", "install the NVIDIA GPU Operator")


def gpu_cluster(snapshot: Snapshot) -> Iterator[Seen]:
    """A GPUCluster drives the GPUs through DRA; there, no label and no ClusterPolicy divides them."""
    for name in snapshot.gpu_clusters:
        yield Seen(
            f"GPUCluster {name}",
            "the operator allocates GPUs through DRA, which this suite does not judge",
            "delete the GPUCluster and create a ClusterPolicy, if MIG is to be driven by node labels",
        )


def several_policies(snapshot: Snapshot) -> Iterator[Seen]:
    """The operator uses the oldest ClusterPolicy and ignores the others."""
    for policy in snapshot.policies[1:]:
        fix = f"delete it, or the older ClusterPolicy {snapshot.policies[0].view.name}, which is in force"
        yield Seen(_named(policy.view), "the operator ignores it, since another one is older", fix)


def not_ready(snapshot: Snapshot) -> Iterator[Seen]:
    """The state is not `ready`, or a condition reports a problem."""
    if (policy := snapshot.policy) is None:
        return
    view = policy.view
    said = "; ".join(view.conditions)
    if view.state != "ready" or said:
        found = f"state {view.state or 'absent'}" + (f"; {said}" if said else "")
        yield Seen(_named(view), found, _LOG.format(namespace=snapshot.namespace))


def strategy_not_tested(snapshot: Snapshot) -> Iterator[Seen]:
    """The strategy is `none`, or one that does not exist."""
    if (policy := snapshot.policy) is None:
        return
    strategy = policy.view.strategy or Strategy.NONE
    fix = "set spec.mig.strategy to single or mixed, or allow it with --allow-cluster-wide"
    if strategy == Strategy.NONE:
        yield Seen(_named(policy.view), "strategy none: MIG devices are not advertised", fix)
    elif strategy not in tuple(Strategy):
        yield Seen(_named(policy.view), f"unknown strategy {strategy}", fix)


def strategy_not_seen(snapshot: Snapshot) -> Iterator[Seen]:
    """GPU Feature Discovery labels a node with another strategy than the ClusterPolicy has."""
    if (policy := snapshot.policy) is None:
        return
    wanted = policy.view.strategy or Strategy.NONE
    for node in snapshot.mig_nodes:
        labelled = node.labels.get(MIG_STRATEGY, "absent")
        if labelled != wanted:
            fix = "wait for the operands to roll; if they do not, see the DaemonSets and the log of the operator"
            yield Seen(str(node), f"label {MIG_STRATEGY} is {labelled}, the ClusterPolicy says {wanted}", fix)


def manager_off(snapshot: Snapshot) -> Iterator[Seen]:
    """Nobody applies `mig.config`: mig-manager is off in the ClusterPolicy, or on a node."""
    policy = snapshot.policy
    if policy is not None and policy.view.manager_enabled is False:
        fix = "set spec.migManager.enabled to true, if mig-manager is to divide the GPUs"
        yield Seen(_named(policy.view), "mig-manager is off (spec.migManager.enabled of the ClusterPolicy)", fix)
        return
    for node in snapshot.mig_nodes:
        if node.labels.get(DEPLOY_MIG_MANAGER) == "false":
            fix = f"remove label {DEPLOY_MIG_MANAGER}; the operator sets it to true"
            yield Seen(str(node), f"mig-manager is off on the node (label {DEPLOY_MIG_MANAGER}=false)", fix)


def policy_owned(snapshot: Snapshot) -> Iterator[Seen]:
    """A GitOps tool keeps the ClusterPolicy as its repository says, and reverts what a run changes."""
    if (policy := snapshot.policy) is not None and (owner := gitops_owner(policy.raw)):
        yield Seen(
            _named(policy.view),
            f"{owner} keeps it as its repository says",
            "suspend the synchronisation for the run, or leave out --allow-cluster-wide",
        )


def _named(view: PolicyView) -> str:
    return f"ClusterPolicy {view.name}"


def enabled(policy: SeenPolicy | None, component: str) -> bool:
    """Return whether the ClusterPolicy enables a component; one that it does not name is enabled."""
    return policy is None or look_up(policy.raw, ("spec", component, "enabled")) is not False
