"""Every check of preflight has a simulated cluster that shows what it finds; before and afterwards it is silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from conformance.backends.control_plane import Binaries, ControlPlane
from conformance.backends.simulated import WithSimulatedGpus
from conformance.cluster import paths
from conformance.cluster.connecting import connect
from conformance.cluster.limits import Limits
from conformance.operations.journal import JOURNAL_LABEL
from conformance.operations.rights import Level
from conformance.preflight.reading import Wanted, read_snapshot
from conformance.preflight.table import CHECKS, find
from conformance.sim.cluster import SimulatedCluster
from conformance.sim.options import SimOptions
from conformance.spec.names import MIG_CONFIG, MIG_CONFIG_STATE, OPERATOR_NAMESPACE
from conformance.suite.preflight import pods_to_try
from tests.preflight.breaking import NODE, Somebody

Break = Callable[[Somebody], Any]
NEWER: Final = {"metadata": {"name": "newer"}}
DEPLOY: Final = "nvidia.com/gpu.deploy."
OPERANDS: Final = paths.daemon_sets(OPERATOR_NAMESPACE)
GPU_CLUSTER: Final = {
    "metadata": {"name": "gpuclusters.nvidia.com"},
    "spec": {
        "group": "nvidia.com",
        "scope": "Cluster",
        "names": {
            "kind": "GPUCluster",
            "listKind": "GPUClusterList",
            "plural": "gpuclusters",
            "singular": "gpucluster",
        },
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


def label(key: str, value: str | None) -> Break:
    """Change a label of the node."""
    return lambda somebody: somebody.label({key: value})


def policy(**spec: Any) -> Break:
    """Change the ClusterPolicy."""
    return lambda somebody: somebody.policy(spec)


def described(key: str, value: str | None) -> Break:
    """Have GPU Feature Discovery label the node with something else."""
    return lambda somebody: somebody.describe({key: value})


def crash(somebody: Somebody) -> None:
    """Give the device plugin a setting that it refuses."""
    somebody.policy({"devicePlugin": {"env": [{"name": "DEVICE_LIST_STRATEGY", "value": "by-post"}]}})


def gpu_cluster(somebody: Somebody) -> None:
    somebody.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", GPU_CLUSTER)
    kind = {"apiVersion": "nvidia.com/v1alpha1", "kind": "GPUCluster"}
    somebody.create(paths.gpu_clusters(), {**kind, "metadata": {"name": "gpus"}})


def second_policy(somebody: Somebody) -> None:
    policy = somebody.hand.get(paths.policy("cluster-policy"))
    somebody.create(paths.policies(), {key: policy[key] for key in ("apiVersion", "kind", "spec")} | NEWER)


def another_strategy(somebody: Somebody) -> None:
    somebody.label({f"{DEPLOY}gpu-feature-discovery": "false"})
    somebody.wait(lambda cluster: not cluster.operands(NODE, "gpu-feature-discovery"))
    somebody.policy({"mig": {"strategy": "mixed"}})


def template(app: str, **changed: Any) -> Break:
    """Change the container of a DaemonSet by hand, which the operator does not notice."""

    def change(somebody: Somebody) -> None:
        path = f"{OPERANDS}/{app}"
        (container,) = somebody.hand.get(path)["spec"]["template"]["spec"]["containers"]
        somebody.patch(path, {"spec": {"template": {"spec": {"containers": [container | changed]}}}})

    return change


def file_of_nothing(somebody: Somebody) -> None:
    body = {"metadata": {"name": "mine"}, "data": {"config.yaml": "version: v7"}}
    somebody.create(paths.config_maps(OPERATOR_NAMESPACE), body)
    somebody.policy({"migManager": {"config": {"name": "mine"}}})


def shared(somebody: Somebody) -> None:
    text = "{version: v1, sharing: {timeSlicing: {resources: [{name: nvidia.com/gpu, replicas: 4}]}}}"
    somebody.create(paths.config_maps(OPERATOR_NAMESPACE), {"metadata": {"name": "plugin"}, "data": {"shared": text}})
    somebody.policy({"devicePlugin": {"config": {"name": "plugin", "default": "shared"}}})


def user(somebody: Somebody) -> None:
    container = {"name": "main", "image": "busybox", "command": ["sleep", "infinity"]}
    limits = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
    metadata = {"name": "train", "labels": {"app": "train"}}
    spec = {"nodeSelector": {"kubernetes.io/hostname": NODE}, "terminationGracePeriodSeconds": 0}
    somebody.create(paths.pods("default"), {"metadata": metadata, "spec": spec | {"containers": [container | limits]}})


def guarded_user(somebody: Somebody) -> None:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "train"}}}
    path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    somebody.create(path, {"metadata": {"name": "keep"}, "spec": spec})
    user(somebody)


def killed_run(somebody: Somebody) -> None:
    metadata = {"name": "journal-1", "labels": {JOURNAL_LABEL: "true", "mig-conformance/run": "7f3a"}}
    somebody.create(paths.namespaces(), {"metadata": {"name": "mig-conformance"}})
    somebody.create(paths.config_maps("mig-conformance"), {"metadata": metadata})


def few_rights(somebody: Somebody) -> None:
    somebody.lacking(("patch", "nodes"))
    somebody.wanted = Wanted(levels=[Level.READ, Level.DISRUPTIVE])


BY_HAND: Final[dict[str, Break]] = {
    "gpu-cluster": gpu_cluster,
    "several-policies": second_policy,
    "policy-not-ready": crash,
    "not-described": described("nvidia.com/mig.capable", None),
    "not-capable": described("nvidia.com/mig.capable", "false"),
    "unknown-model": described("nvidia.com/gpu.product", "NVIDIA-X100"),
    "manager-off": policy(migManager={"enabled": False}),
    "operand": policy(devicePlugin={"enabled": False}),
    "uneven": label(MIG_CONFIG, "all-balanced"),
    "operand-off": label(f"{DEPLOY}device-plugin", "false"),
    "other-operand": template("nvidia-dcgm-exporter", command=["no-such-program"]),
    "operand-restarts": crash,
    "image": template("nvidia-mig-manager", image="nvcr.io/nvidia/cloud-native/k8s-mig-manager:v0.0.1"),
    "paused": label(f"{DEPLOY}dcgm-exporter", "paused-for-mig-change"),
    "strategy": policy(mig={"strategy": "none"}),
    "strategy-label": another_strategy,
    "configuration-file": file_of_nothing,
    "unknown-configuration": label(MIG_CONFIG, "all-enable"),
    "failed": label(MIG_CONFIG, "all-enable"),
    "at-work": label(MIG_CONFIG_STATE, "pending"),
    "stuck": label(MIG_CONFIG_STATE, "pending"),
    "no-answer": label(MIG_CONFIG_STATE, None),
    "cut-by-others": Somebody.cut,
    "shared": shared,
    "gpu-users": user,
    "disruption-budget": guarded_user,
    "taint": lambda somebody: somebody.patch(
        paths.node(NODE), {"spec": {"taints": [{"key": "example.com/agent-not-ready", "effect": "NoSchedule"}]}}
    ),
    "cordoned": lambda somebody: somebody.patch(paths.node(NODE), {"spec": {"unschedulable": True}}),
    "autoscaler": label("karpenter.sh/nodepool", "gpus"),
    "policy-owned": lambda somebody: somebody.patch(
        paths.policy("cluster-policy"), {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "gpu:x"}}}
    ),
    "label-owned": lambda somebody: somebody.label({MIG_CONFIG: "all-1g.10gb"}, manager="nfd-master"),
    "earlier-run": killed_run,
    "rights": few_rights,
    "unread": lambda somebody: somebody.lacking(("list", "configmaps")),
}
"""What is done to a healthy cluster, by the check that finds it."""
FROM_THE_START: Final[dict[str, SimOptions]] = {
    "no-cluster-policy": SimOptions(gpu_nodes=1, gpus_per_node=1, operator=False),
    "no-mig-node": SimOptions(gpu_nodes=0, other_nodes="tesla-t4,l40s,geforce-rtx-4090"),
    "old-driver": SimOptions(gpu_nodes=1, gpus_per_node=1, faults=("hardware-old-driver",)),
    "node-not-ready": SimOptions(gpu_nodes=1, gpus_per_node=1),
}
"""Clusters of their own, by the check that speaks there."""
REAL_SERVER: Final = ("admission",)
"""The embedded API server admits everything: a real one is needed."""


@pytest.fixture(scope="module")
def somebody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Somebody]:
    folder = tmp_path_factory.mktemp("preflight")
    with SimulatedCluster(SimOptions(gpu_nodes=1, gpus_per_node=1, other_nodes="tesla-t4")) as simulation:
        one = Somebody(simulation, folder)
        yield one
        one.hand.close()


def test_every_finding_is_shown_by_a_cluster() -> None:
    assert {*BY_HAND, *FROM_THE_START, *REAL_SERVER} == {check.id for check in CHECKS}


@pytest.mark.parametrize("check", BY_HAND)
def test_what_somebody_does_to_a_healthy_cluster_is_found(check: str, somebody: Somebody) -> None:
    assert somebody.findings == ()
    with somebody.undone():
        BY_HAND[check](somebody)
        somebody.wait(lambda _: check in {finding.id for finding in somebody.findings})
    somebody.wait(lambda _: not somebody.findings)


@pytest.mark.parametrize("check", FROM_THE_START)
def test_what_is_wrong_from_the_start_is_found(check: str, tmp_path: Path) -> None:
    with SimulatedCluster(FROM_THE_START[check]) as simulation:
        somebody = Somebody(simulation, tmp_path)
        if check == "node-not-ready":
            simulation.lose(NODE)
            somebody.wait(lambda cluster: not cluster.node(NODE).ready)
        findings = somebody.findings
        somebody.hand.close()

    assert check in {finding.id for finding in findings}


def test_what_admission_rejects_is_found(binaries: Binaries) -> None:
    """A namespace with Pod Security `restricted` lets the pods of the suite in, but not the one that reboots a node."""
    ways = {"with_scheduler": True, "with_controllers": True}
    programs = replace(binaries, scheduler=None, controller_manager=None)
    backend = WithSimulatedGpus(ControlPlane(programs), SimOptions(gpu_nodes=1, gpus_per_node=1), **ways)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    try:
        with closing(connect(backend.start().kubeconfig, None, Limits())) as hand:
            hand.create(paths.namespaces(), {"metadata": {"name": "mig-conformance", "labels": labels}})
            usual = find(read_snapshot(hand, Wanted(pods=pods_to_try("python"))))
            reboots = find(read_snapshot(hand, Wanted(pods=pods_to_try("python", reboot=True))))
    finally:
        backend.stop()

    assert usual == ()
    assert [(finding.id, finding.objects) for finding in reboots] == [("admission", ("pod host-command",))]
