"""Where a DaemonSet wants pods, and what those pods look like."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.sim.daemonsets.placement import DAEMON_TOLERATIONS, Verdict, judge, node_of, pod_for

SELECTOR = {"nvidia.com/gpu.deploy.device-plugin": "true"}
TAINT = {"key": "nvidia.com/gpu", "value": "present"}


def daemon_set(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "plugin", "namespace": "gpu-operator", "uid": "1234"},
        "spec": {"template": {"metadata": {"labels": {"app": "plugin"}}, "spec": {"nodeSelector": SELECTOR, **spec}}},
    }


def node(labels: dict[str, str] | None = None, *taints: dict[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"name": "sim-0", "labels": SELECTOR if labels is None else labels},
        "spec": {"taints": [*taints]},
    }


@pytest.mark.parametrize("labels", [{}, {"nvidia.com/gpu.deploy.device-plugin": "paused-for-mig-change"}])
def test_a_node_that_is_not_selected_may_not_keep_its_pod(labels: dict[str, str]) -> None:
    assert judge(daemon_set(), node(labels)) == Verdict(create=False, keep=False)


@pytest.mark.parametrize(
    ("effect", "verdict"),
    [
        ("NoSchedule", Verdict(create=False, keep=True)),
        ("NoExecute", Verdict(create=False, keep=False)),
        ("PreferNoSchedule", Verdict(create=True, keep=True)),
    ],
)
def test_taints(effect: str, verdict: Verdict) -> None:
    assert judge(daemon_set(), node(None, TAINT | {"effect": effect})) == verdict


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "nvidia.com/gpu", "value": "present"}, True),
        ({"key": "nvidia.com/gpu", "value": "absent"}, False),
        ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_tolerations(toleration: dict[str, str], tolerated: bool) -> None:
    tainted = node(None, TAINT | {"effect": "NoSchedule"})

    assert judge(daemon_set(tolerations=[toleration]), tainted).create is tolerated


def test_cordon_and_unready_nodes_do_not_matter() -> None:
    tainted = node(
        None,
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
    )

    assert judge(daemon_set(), tainted) == Verdict(create=True, keep=True)


def test_the_pod_waits_for_the_scheduler_on_its_node_only() -> None:
    made = pod_for(daemon_set(containers=[{"name": "c"}], tolerations=[TAINT]), "sim-1", "abc")

    assert "nodeName" not in made["spec"]
    assert node_of(made) == "sim-1"
    assert made["spec"]["tolerations"] == [TAINT, *DAEMON_TOLERATIONS]
    assert made["metadata"]["labels"] == {"app": "plugin", "controller-revision-hash": "abc"}
    assert (
        made["metadata"]["ownerReferences"][0] | {"uid": "1234", "controller": True}
        == (made["metadata"]["ownerReferences"][0])
    )


def test_the_binding_counts_more_than_the_affinity() -> None:
    made = pod_for(daemon_set(), "sim-1", "abc")
    made["spec"]["nodeName"] = "sim-7"

    assert node_of(made) == "sim-7"
    assert node_of({"spec": {}}) == ""
