"""Each check finds what is broken, and nothing else is found; a healthy cluster is silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from conformance.expect.versions import Declared
from conformance.operations.rights import Level
from conformance.preflight.finding import PreflightFinding, Severity
from conformance.preflight.table import CHECKS, blocking, find
from conformance.spec.requirements import REQUIREMENTS
from tests.preflight.made import CONFIGURATIONS, World, budget, healthy, missing, pod, refusal

Break = Callable[[World], Any]
STATE: Final = "nvidia.com/mig.config.state"
CONFIG: Final = "nvidia.com/mig.config"
DEPLOY: Final = "nvidia.com/gpu.deploy."


def _no_policy(world: World) -> None:
    world.policies = []
    world.daemon_sets, world.pods = {}, {}


def _gpu_cluster(world: World) -> None:
    world.rest["gpu_clusters"] = ("gpu-cluster",)


def _several(world: World) -> None:
    newer = {**world.policies[0], "metadata": {**world.policies[0]["metadata"], "name": "newer"}}
    world.policies.append(newer)


def _not_ready(world: World) -> None:
    message = {"type": "Error", "status": "True", "reason": "OperandNotReady", "message": "[state-driver]"}
    world.policies[0]["status"] = {"state": "notReady", "conditions": [message], "namespace": "gpu-operator"}


def _no_mig_node(world: World) -> None:
    for name in "ab":
        del world.nodes[name]


def _waiting(world: World, app: str) -> None:
    status = world.pods[f"{app}-a"]["status"]
    status["conditions"] = [{"type": "Ready", "status": "False"}]
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    status["containerStatuses"] = [{"name": "main", "restartCount": 5, "state": waiting}]


def _restarted(world: World) -> None:
    ended = {"terminated": {"exitCode": 1, "finishedAt": "2026-11-28T11:30:00Z"}}
    states = world.pods["nvidia-device-plugin-daemonset-a"]["status"]["containerStatuses"]
    states[0] |= {"restartCount": 2, "lastState": ended}


def _label(key: str, value: str | None) -> Break:
    def broken(world: World) -> None:
        if value is None:
            del world.labels()[key]
        else:
            world.labels()[key] = value

    return broken


def _stuck(world: World) -> None:
    world.labels()[STATE] = "pending"
    world.owned("nvidia-mig-manager", of=world.nodes["a"], label=STATE, time="2026-11-28T11:00:00Z")


def _uneven(world: World) -> None:
    world.labels().update({CONFIG: "all-1g.10gb", "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3-MIG-INVALID"})
    _waiting(world, "nvidia-device-plugin-daemonset")
    _waiting(world, "nvidia-operator-validator")


def _user(world: World) -> None:
    world.pods["train"] = pod("train", "a", namespace="team", app="train", gpus=1)


def _forbidden_drain(world: World) -> None:
    _user(world)
    world.rest["budgets"] = (budget("team", {"matchLabels": {"app": "train"}}, 0),)


def _autoscaler(world: World) -> None:
    image = "registry.k8s.io/autoscaling/cluster-autoscaler:v1.35.0"
    world.pods["autoscaler"] = pod("autoscaler", "t4", namespace="kube-system", image=image)


def _taint(*taints: str) -> Break:
    def broken(world: World) -> None:
        listed = [dict(zip(("key", "effect"), taint.split(":"), strict=True)) for taint in taints]
        world.nodes["a"]["spec"]["taints"] = listed

    return broken


BROKEN: Final[dict[str, list[Break]]] = {
    "no-cluster-policy": [_no_policy],
    "gpu-cluster": [_gpu_cluster],
    "several-policies": [_several],
    "policy-not-ready": [_not_ready],
    "no-mig-node": [_no_mig_node],
    "not-described": [_label("nvidia.com/mig.capable", None)],
    "not-capable": [_label("nvidia.com/mig.capable", "false")],
    "old-driver": [_label("nvidia.com/cuda.driver-version.full", "470.57.02")],
    "unknown-model": [_label("nvidia.com/gpu.product", "NVIDIA-X100")],
    "node-not-ready": [lambda world: world.nodes["a"]["status"].update(conditions=[])],
    "manager-off": [
        lambda world: world.policy["migManager"].update(enabled=False),
        _label(f"{DEPLOY}mig-manager", "false"),
    ],
    "operand": [
        lambda world: world.pods.pop("nvidia-mig-manager-a"),
        lambda world: world.daemon_sets.pop("gpu-feature-discovery"),
        lambda world: _waiting(world, "nvidia-device-plugin-daemonset"),
        lambda world: (world.policy["devicePlugin"].update(enabled=False),
                       world.daemon_sets.pop("nvidia-device-plugin-daemonset")),
    ],
    "uneven": [_uneven],
    "operand-off": [_label(f"{DEPLOY}device-plugin", "false"), _label(f"{DEPLOY}gpu-feature-discovery", None)],
    "other-operand": [lambda world: _waiting(world, "nvidia-operator-validator")],
    "operand-restarts": [_restarted],
    "image": [
        lambda world: world.pods["nvidia-mig-manager-a"]["spec"]["containers"][0].update(image="r/migmanager:v0"),
        lambda world: world.rest.update(declared={"gfd": Declared("r", "gfd", "v2")}),
    ],
    "paused": [_label(f"{DEPLOY}device-plugin", "paused-for-mig-change")],
    "strategy": [
        lambda world: (world.policy["mig"].pop("strategy"),
                       [world.labels(name).update({"nvidia.com/mig.strategy": "none"}) for name in "ab"]),
    ],
    "strategy-label": [_label("nvidia.com/mig.strategy", "mixed")],
    "configuration-file": [
        lambda world: world.config_maps.clear(),
        lambda world: world.config_maps.update({"default-mig-parted-config": {"other": CONFIGURATIONS}}),
        lambda world: world.config_maps.update({"default-mig-parted-config": {"config.yaml": "version: v7"}}),
    ],
    "unknown-configuration": [_label(CONFIG, "all-enable")],
    "failed": [_label(STATE, "failed")],
    "at-work": [_label(STATE, "pending"), _label(STATE, "rebooting")],
    "stuck": [_stuck],
    "no-answer": [_label(STATE, None)],
    "cut-by-others": [
        lambda world: world.nodes["a"]["status"]["allocatable"].update({"nvidia.com/mig-1g.10gb": "7"}),
        _label("nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"),
    ],
    "shared": [_label("nvidia.com/gpu.sharing-strategy", "time-slicing")],
    "gpu-users": [_user],
    "disruption-budget": [_forbidden_drain],
    "taint": [_taint("startup.example.com/agent-not-ready:NoSchedule")],
    "cordoned": [lambda world: world.nodes["a"]["spec"].update(unschedulable=True)],
    "autoscaler": [
        _autoscaler,
        _label("karpenter.sh/nodepool", "gpus"),
        _taint("ToBeDeletedByClusterAutoscaler:NoSchedule"),
    ],
    "policy-owned": [
        lambda world: world.policies[0]["metadata"].update(annotations={"argocd.argoproj.io/tracking-id": "gpu:x"}),
        lambda world: world.policies[0]["metadata"].update(managedFields=[{"manager": "kustomize-controller"}]),
    ],
    "label-owned": [lambda world: world.owned("nfd-master", of=world.nodes["a"], label=CONFIG)],
    "earlier-run": [lambda world: world.rest.update(journals=("7f3a",))],
    "rights": [lambda world: world.rest.update(missing=(missing("patch nodes", Level.DISRUPTIVE),))],
    "admission": [lambda world: world.rest.update(refusals=(refusal('admission webhook "kyverno" denied it'),))],
    "unread": [lambda world: world.rest.update(unread=("/apis/policy/v1/poddisruptionbudgets",))],
}  # fmt: skip
ALONG: Final = {"disruption-budget": {"gpu-users"}, "no-cluster-policy": set[str]()}
"""What else is found with it, since it is a part of it."""


def ids(findings: tuple[PreflightFinding, ...]) -> set[str]:
    return {finding.id for finding in findings}


def test_a_healthy_cluster_is_silent() -> None:
    assert find(healthy().snapshot) == ()


def test_every_check_is_tried() -> None:
    assert list(BROKEN) == [check.id for check in CHECKS]


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        pytest.param(name, one, id=f"{name}-{number}")
        for name, tried in BROKEN.items()
        for number, one in enumerate(tried)
    ],
)
def test_what_is_broken_is_found_and_nothing_else(name: str, broken: Break) -> None:
    world = healthy()
    broken(world)
    findings = find(world.snapshot)

    assert ids(findings) == {name} | ALONG.get(name, set()), findings
    (check,) = (check for check in CHECKS if check.id == name)
    for finding in findings:
        if finding.id == name:
            assert finding.severity is check.severity
            assert finding.objects
            assert finding.found
            assert finding.fix
            assert set(finding.rules_out) <= set(REQUIREMENTS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_what_blocks_rules_out_requirements(check: Any) -> None:
    if check.severity is Severity.BLOCKS and check.id != "rights":
        assert check.rules_out


def test_nodes_that_are_alike_are_one_finding() -> None:
    world = healthy()
    for name in "ab":
        world.labels(name)[STATE] = "failed"
    (finding,) = find(world.snapshot)

    assert finding.objects == ("node a", "node b")
    assert blocking([finding]) == (finding,)


def test_an_operand_rules_out_what_needs_it() -> None:
    world = healthy()
    del world.pods["gpu-feature-discovery-a"]
    (finding,) = find(world.snapshot)

    assert finding.objects == ("node a",)
    assert finding.rules_out == ("D-26",)


def test_a_taint_that_the_pods_of_the_suite_tolerate_is_silent() -> None:
    world = healthy()
    _taint("nvidia.com/gpu:NoSchedule", "node.kubernetes.io/unschedulable:NoSchedule", "x:PreferNoSchedule")(world)

    assert find(world.snapshot) == ()


def test_a_divided_node_whose_label_says_so_is_silent() -> None:
    world = healthy()
    world.labels()[CONFIG] = "all-1g.10gb"
    world.labels()["nvidia.com/gpu.product"] = "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"

    assert find(world.snapshot) == ()


def test_slices_without_a_label_while_mig_manager_is_off() -> None:
    """AKS cuts the GPUs while the node boots (AgentBaker PR 8869)."""
    world = healthy()
    world.policy["migManager"]["enabled"] = False
    del world.daemon_sets["nvidia-mig-manager"]
    for name in "ab":
        del world.labels(name)[CONFIG], world.labels(name)[STATE]
        world.labels(name)["nvidia.com/gpu.product"] = "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"

    assert ids(find(world.snapshot)) == {"manager-off", "cut-by-others"}


def test_a_cordon_may_be_that_of_an_earlier_run() -> None:
    world = healthy()
    world.nodes["a"]["spec"].update(unschedulable=True)
    world.rest.update(journals=("7f3a",))

    (cordon,) = (finding for finding in find(world.snapshot) if finding.id == "cordoned")

    assert cordon.fix.startswith("run `mig-conformance restore show`: an earlier run may have cordoned it")
