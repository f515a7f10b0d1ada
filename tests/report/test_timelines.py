"""Timelines with values that can be drawn, and the stays of a node without gaps."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from conformance.cluster.changes import Change, LabelChange, NodeChange, PodChange, PodEvent, ResourceChange
from conformance.cluster.pod_view import PodView, pod_view
from conformance.cluster.views import node_view
from conformance.report.model import CaseCell
from conformance.report.timelines import as_found, entries, stays

STATE, DEPLOY, PRODUCT = "nvidia.com/mig.config.state", "nvidia.com/gpu.deploy.dcgm", "nvidia.com/gpu.product"


def pod(app: str) -> PodChange:
    return PodChange(
        sequence=0, time=1, node="sim-0", namespace="x", name="a-1", app=app, uid="u", event=PodEvent.READY
    )


def resource(after: int | None) -> ResourceChange:
    return ResourceChange(
        sequence=0, time=1, node="sim-0", resource="nvidia.com/gpu", field="allocatable", before=8, after=after
    )


def operand(app: str, *, ready: bool) -> PodView:
    return pod_view(
        {
            "metadata": {
                "namespace": "gpu-operator",
                "name": f"{app}-x",
                "uid": app,
                "resourceVersion": "1",
                "labels": {"app": app},
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {"nodeName": "sim-0", "containers": []},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
        }
    )


@pytest.mark.parametrize(
    ("change", "values"),
    [
        (
            LabelChange(
                sequence=0, time=1, node="sim-0", before={DEPLOY: "true"}, after={STATE: "pending", PRODUCT: "x"}
            ),
            {STATE: "pending", DEPLOY: None},
        ),
        (resource(7), {"allocatable nvidia.com/gpu": 7}),
        (resource(None), {"allocatable nvidia.com/gpu": None}),
        (pod("nvidia-dcgm"), {"nvidia-dcgm": "ready"}),
        (pod(""), {"a-1": "ready"}),
        (
            NodeChange(sequence=0, time=1, node="sim-0", field="ready", before="True", after="False"),
            {"ready": "False"},
        ),
    ],
)
def test_values_are_the_new_ones_by_name(change: Change, values: dict[str, str | int | None]) -> None:
    (entry,) = entries([change])

    assert entry.values == values
    assert (entry.time, entry.kind, entry.change) == (1, change.kind, change.describe())


CELLS = some.builds(
    CaseCell, strategy=some.sampled_from(["single", "mixed"]), configuration=some.sampled_from(["a", "b"])
)
BEGUN = some.lists(some.tuples(some.integers(0, 900).map(float), CELLS)).map(lambda it: sorted(it, key=lambda x: x[0]))


@given(BEGUN)
def test_stays_follow_one_another_without_a_gap(begun: list[tuple[float, CaseCell]]) -> None:
    found = stays(begun, 1000.0)

    assert len(found) <= len(begun)
    assert all(one.end == two.start for one, two in pairwise(found))
    assert all((one.strategy, one.configuration) != (two.strategy, two.configuration) for one, two in pairwise(found))
    if begun:
        assert (found[0].start, found[-1].end) == (begun[0][0], 1000.0)
        assert found[-1].configuration == begun[-1][1].configuration


def test_what_was_there_comes_before_the_first_change() -> None:
    node = node_view(
        {
            "metadata": {
                "name": "sim-0",
                "uid": "u",
                "resourceVersion": "1",
                "labels": {STATE: "success", DEPLOY: "true", PRODUCT: "x"},
            },
            "spec": {"unschedulable": True},
            "status": {
                "allocatable": {"nvidia.com/gpu": "7", "cpu": "8"},
                "capacity": {"nvidia.com/gpu": "8"},
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
    )
    found = list(as_found(2.0, node, [operand("nvidia-dcgm", ready=True), operand("nvidia-mig-manager", ready=False)]))

    assert {(entry.time, entry.change) for entry in found} == {(2.0, "as found")}
    assert [(entry.kind, entry.values) for entry in found] == [
        ("labels", {STATE: "success", DEPLOY: "true"}),
        ("resource", {"allocatable nvidia.com/gpu": 7}),
        ("resource", {"capacity nvidia.com/gpu": 8}),
        ("node", {"ready": "True"}),
        ("node", {"unschedulable": "True"}),
        ("pod", {"nvidia-dcgm": "ready"}),
        ("pod", {"nvidia-mig-manager": "appeared"}),
    ]
