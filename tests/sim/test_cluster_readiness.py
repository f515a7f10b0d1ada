"""When a cluster counts as started."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.sim.cluster.readiness import missing

LABELS = {
    "nvidia.com/gfd.timestamp": "1",
    "nvidia.com/mig.capable": "true",
    "nvidia.com/mig.config": "all-disabled",
    "nvidia.com/mig.config.state": "success",
}
ROLLED_OUT = {"desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1, "observedGeneration": 1}


def policy(state: str = "ready", default: str = "all-disabled") -> dict[str, Any]:
    return {"spec": {"migManager": {"config": {"default": default}}}, "status": {"state": state}}


def daemon_set(**status: int) -> dict[str, Any]:
    return {
        "metadata": {"name": "plugin", "generation": 1},
        "spec": {"updateStrategy": {"type": "RollingUpdate"}},
        "status": ROLLED_OUT | status,
    }


def node(gpus: str = "8", **changes: str | None) -> dict[str, Any]:
    changed = LABELS | {f"nvidia.com/{key.replace('__', '.')}": value for key, value in changes.items()}
    labels = {name: value for name, value in changed.items() if value is not None}
    return {"metadata": {"labels": labels}, "status": {"allocatable": {"cpu": "4", "nvidia.com/gpu": gpus}}}


def test_a_complete_cluster_lacks_nothing() -> None:
    assert (
        list(missing([policy()], [daemon_set()], {"a": node(), "b": node(mig__config__state="failed")}.items())) == []
    )
    assert list(missing([policy()], [], ())) == []


@pytest.mark.parametrize(
    ("policies", "daemon_sets", "found", "message"),
    [
        ([], [], node(), "ClusterPolicy"),
        ([policy("notReady")], [], node(), "ClusterPolicy"),
        ([policy()], [daemon_set(observedGeneration=0)], node(), "DaemonSet plugin"),
        ([policy()], [], None, "node a is not registered"),
        ([policy()], [], node(gfd__timestamp=None), "GPU Feature Discovery"),
        ([policy()], [], node(mig__config__state=None), "mig-manager to all-disabled"),
        ([policy()], [], node(mig__config__state="pending"), "mig-manager to all-disabled"),
        ([policy()], [], node(mig__config=None, mig__config__state=None), "mig-manager to the default"),
        ([policy()], [], node("0"), "advertises no GPU"),
    ],
)
def test_what_is_missing_is_named(
    policies: list[dict[str, Any]], daemon_sets: list[dict[str, Any]], found: dict[str, Any] | None, message: str
) -> None:
    (told,) = missing(policies, daemon_sets, [("a", found)])

    assert message in told


@pytest.mark.parametrize(
    "found",
    [
        node(mig__capable="false", mig__config=None, mig__config__state=None),
        node(mig__config=None, mig__config__state=None),
    ],
)
def test_nobody_waits_for_an_answer_that_nobody_asked_for(found: dict[str, Any]) -> None:
    assert list(missing([policy(default="")], [], [("a", found)])) == []
