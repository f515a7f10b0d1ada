"""Views are read from raw JSON as servers send it, with everything optional left out or not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cluster.pod_view import pod_view
from conformance.cluster.views import count, daemon_set_view, node_view, policy_view, timestamp
from conformance.spec.names import Strategy

META = {"name": "x", "uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-11-24T12:00:00Z"}


@given(st.integers(min_value=0, max_value=10**9))
def test_counts_are_whole_numbers(number: int) -> None:
    assert count(number) == count(str(number)) == number


@pytest.mark.parametrize(("text", "number"), [("1k", 1000), ("2Ki", 2048), ("3M", 3_000_000)])
def test_counts_with_a_suffix(text: str, number: int) -> None:
    assert count(text) == number


@pytest.mark.parametrize("text", ["", "500m", "k", "1.5", "-1", "1x"])
def test_what_is_no_count(text: str) -> None:
    with pytest.raises(ValueError, match=r"invalid literal|not a whole quantity"):
        count(text)


def test_a_node_that_has_only_just_registered() -> None:
    view = node_view({"metadata": META})

    assert (view.labels, view.capacity, view.advertised, view.taints) == ({}, {}, {}, ())
    assert (view.ready, view.unschedulable, view.boot_id, view.kubelet) == (False, False, "", "")


def test_a_node_keeps_only_the_resources_that_matter() -> None:
    status = {
        "allocatable": {"cpu": "8", "nvidia.com/gpu": "0", "nvidia.com/mig-1g.10gb": "7"},
        "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
        "nodeInfo": {"bootID": "b", "kubeletVersion": "v1.36.0"},
    }
    spec = {"unschedulable": True, "taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]}
    view = node_view({"metadata": META, "spec": spec, "status": status})

    assert view.allocatable == {"nvidia.com/gpu": 0, "nvidia.com/mig-1g.10gb": 7}
    assert view.advertised == {"nvidia.com/mig-1g.10gb": 7}
    assert (view.ready, view.unschedulable, view.taints) == (True, True, ("nvidia.com/gpu=:NoSchedule",))


def pod(spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
    return {"metadata": META | {"namespace": "n"} | meta, "spec": spec or {}, "status": status or {}}


def test_a_pod_that_cannot_be_placed_says_why() -> None:
    unplaced = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes: Insufficient nvidia.com/gpu"}
    view = pod_view(pod(status={"phase": "Pending", "conditions": [unplaced]}))

    assert (view.node, view.message) == (None, "0/2 nodes: Insufficient nvidia.com/gpu")


def test_a_pod_that_was_refused_on_its_node() -> None:
    status = {"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "Allocate failed"}
    view = pod_view(pod({"nodeName": "a"}, status))

    assert (view.ended, view.reason, view.message) == (True, "UnexpectedAdmissionError", "Allocate failed")


def test_requests_are_summed_over_containers_and_limits_alone_count() -> None:
    containers = [
        {"name": "one", "resources": {"limits": {"nvidia.com/gpu": "1", "cpu": "2"}}},
        {"name": "two", "resources": {"requests": {"nvidia.com/gpu": 2}, "limits": {"nvidia.com/gpu": 2}}},
        {"name": "three", "resources": {"limits": {"nvidia.com/mig-1g.10gb": "1", "example.com/x": "1"}}},
    ]
    view = pod_view(pod({"containers": containers}))

    assert view.requests == {"nvidia.com/gpu": 3, "nvidia.com/mig-1g.10gb": 1}
    assert view.gpus == view.requests


def test_a_crash_loop() -> None:
    crashed = {"terminated": {"exitCode": 1}}
    state = {"name": "c", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": crashed}
    view = pod_view(pod(status={"phase": "Running", "containerStatuses": [state]}))

    assert (view.crashing, view.restarts, view.exit_codes) == (True, 3, {"c": 1})


def test_a_daemon_set_says_whether_it_rolled() -> None:
    container = {"name": "c", "image": "i:v1", "env": [{"name": "MIG_STRATEGY", "value": "mixed"}]}
    template = {"spec": {"initContainers": [{"name": "init", "image": "i:v2"}], "containers": [container]}}
    status = {
        "observedGeneration": 4, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberReady": 2,
        "numberAvailable": 2,
    }  # fmt: skip
    raw: dict[str, Any] = {"metadata": META | {"namespace": "n", "generation": 4}, "spec": {"template": template}}

    view = daemon_set_view(raw | {"status": status})

    assert (view.rolled, view.strategy, view.images) == (True, "mixed", {"init": "i:v2", "c": "i:v1"})
    assert not daemon_set_view(raw | {"status": status | {"observedGeneration": 3}}).rolled
    assert not daemon_set_view(raw | {"status": status | {"updatedNumberScheduled": 1}}).rolled


def test_a_policy_of_another_installer() -> None:
    view = policy_view({"metadata": META, "spec": {"migManager": {"enabled": True}}})

    assert (view.strategy, view.effective_strategy, view.config_default, view.namespace) == (
        None,
        Strategy.NONE,
        None,
        None,
    )


def test_a_policy_that_is_not_ready_says_why() -> None:
    conditions = [
        {"type": "Ready", "status": "False", "reason": "OperandNotReady", "message": "state-mig-manager"},
        {"type": "Error", "status": "False", "reason": "Ready"},
    ]
    view = policy_view({"metadata": META, "status": {"state": "notReady", "conditions": conditions}})

    assert view.conditions == ("Ready: OperandNotReady: state-mig-manager",)


def test_times_are_utc() -> None:
    assert timestamp("2026-11-24T12:00:00Z").isoformat() == "2026-11-24T12:00:00+00:00"
