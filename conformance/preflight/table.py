"""All checks of preflight, in the order in which their findings are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from conformance.preflight import access, cluster_policy, configurations, gpus, operands, surroundings
from conformance.preflight.finding import Check, PreflightFinding, Seen, Severity
from conformance.preflight.requirements import ALL, CHANGES, DEVICES, PODS, SHARED, WIDE
from conformance.preflight.snapshot import Snapshot

_BLOCKS: Final = Severity.BLOCKS
_WARNS: Final = Severity.WARNS

CHECKS: Final = (
    Check("no-cluster-policy", _BLOCKS, ALL, "no ClusterPolicy", cluster_policy.no_policy),
    Check("gpu-cluster", _BLOCKS, ALL, "a GPUCluster, which allocates GPUs through DRA", cluster_policy.gpu_cluster),
    Check("several-policies", _WARNS, (), "several ClusterPolicies", cluster_policy.several_policies),
    Check("policy-not-ready", _WARNS, (), "a ClusterPolicy that is not ready", cluster_policy.not_ready),
    Check("no-mig-node", _BLOCKS, ALL, "no node with GPUs that can do MIG", gpus.no_node),
    Check("not-described", _BLOCKS, ALL, "GPUs that GPU Feature Discovery does not describe", gpus.not_described),
    Check("not-capable", _BLOCKS, ALL, "GPUs with MIG whose driver says otherwise", gpus.not_capable),
    Check("old-driver", _BLOCKS, ALL, "a driver without MIG for its GPUs", gpus.old_driver),
    Check("unknown-model", _WARNS, (), "a GPU model that the suite does not know", gpus.unknown_model),
    Check("node-not-ready", _BLOCKS, ALL, "a node that is not Ready", gpus.node_away),
    Check("manager-off", _BLOCKS, CHANGES, "mig-manager switched off", cluster_policy.manager_off),
    Check("operand", _BLOCKS, DEVICES, "an operand that MIG needs and that does not run", operands.needed),
    Check("uneven", _WARNS, (), "an uneven geometry under strategy single", operands.uneven),
    Check("operand-off", _BLOCKS, DEVICES, "an operand that MIG needs, switched off on a node", operands.switched_off),
    Check("other-operand", _WARNS, (), "another operand that does not run", operands.others),
    Check("operand-restarts", _WARNS, (), "an operand that ended with an error lately", operands.restarted),
    Check("image", _WARNS, (), "an image that is not the declared one", operands.images),
    Check("paused", _BLOCKS, DEVICES, "deploy labels that stayed paused", operands.paused),
    Check("strategy", _BLOCKS, DEVICES, "a strategy that is not tested", cluster_policy.strategy_not_tested),
    Check("strategy-label", _BLOCKS, DEVICES, "a label with another strategy", cluster_policy.strategy_not_seen),
    Check("configuration-file", _BLOCKS, CHANGES, "a file of configurations that cannot be read", configurations.files),
    Check("unknown-configuration", _BLOCKS, CHANGES, "a label without configuration", configurations.unknown_name),
    Check("failed", _BLOCKS, CHANGES, "state failed", configurations.failed),
    Check("at-work", _WARNS, (), "a change that is going on", configurations.at_work),
    Check("stuck", _BLOCKS, (*CHANGES, *DEVICES), "a change that does not end", configurations.stuck),
    Check("no-answer", _BLOCKS, CHANGES, "a request without an answer", configurations.no_answer),
    Check("cut-by-others", _BLOCKS, CHANGES, "GPUs that something else has divided", configurations.cut_by_others),
    Check("shared", _BLOCKS, SHARED, "devices that several containers share", gpus.shared),
    Check("gpu-users", _WARNS, CHANGES, "pods of others that hold GPUs", surroundings.users),
    Check("disruption-budget", _WARNS, (), "a PodDisruptionBudget that forbids draining", surroundings.budgets),
    Check("taint", _BLOCKS, PODS, "a taint that keeps pods of the suite away", surroundings.taints),
    Check("cordoned", _WARNS, (), "a cordoned node", surroundings.cordoned),
    Check("autoscaler", _WARNS, (), "an autoscaler that may remove nodes", surroundings.autoscaler),
    Check("policy-owned", _WARNS, WIDE, "a ClusterPolicy that a GitOps tool keeps", cluster_policy.policy_owned),
    Check("label-owned", _WARNS, CHANGES, "a label mig.config that something writes again", surroundings.labels_owned),
    Check("earlier-run", _WARNS, (), "an earlier run that is not put back", surroundings.earlier_runs),
    Check("rights", _BLOCKS, (), "rights that are missing for what the options allow", access.missing),
    Check("admission", _BLOCKS, PODS, "objects of the suite that admission rejects", access.refused),
    Check("unread", _WARNS, (), "what these credentials may not read", access.unread),
)


def find(snapshot: Snapshot) -> tuple[PreflightFinding, ...]:
    """Run all checks; objects on which a check has found the same are one finding."""
    return tuple(finding for check in CHECKS for finding in _findings(check, snapshot))


def blocking(findings: Iterable[PreflightFinding]) -> tuple[PreflightFinding, ...]:
    """Return the findings that block."""
    return tuple(finding for finding in findings if finding.severity is Severity.BLOCKS)


def _findings(check: Check, snapshot: Snapshot) -> Iterator[PreflightFinding]:
    alike: dict[tuple[str, tuple[str, ...]], list[Seen]] = {}
    for seen in check.look(snapshot):
        rules_out = check.rules_out if seen.rules_out is None else seen.rules_out
        alike.setdefault((seen.found, tuple(sorted({*rules_out}))), []).append(seen)
    for (found, rules_out), seen_there in alike.items():
        objects = tuple(dict.fromkeys(seen.object for seen in seen_there))
        yield PreflightFinding(check.id, check.severity, objects, found, rules_out, seen_there[0].fix)
