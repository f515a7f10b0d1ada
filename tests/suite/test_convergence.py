"""What is measured on the way of a node to its cell, and what is left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conformance.cluster.changes import LabelChange, PodChange, PodEvent, ResourceChange
from conformance.cluster.timeline import Timeline
from conformance.operations.evidence import Outcome
from conformance.spec.names import GFD_TIMESTAMP
from conformance.suite.convergence import convergence


class Watched:
    """A timeline that is written second by second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timeline = Timeline(lambda: self.now)

    def counts(self, time: float, count: int, field: str = "allocatable") -> None:
        self._add(ResourceChange, time, resource="nvidia.com/gpu", field=field, before=0, after=count)

    def labels(self, time: float) -> None:
        self._add(LabelChange, time, before={}, after={GFD_TIMESTAMP: str(time)})

    def pod(self, time: float, name: str, event: PodEvent, run: str | None = "r") -> None:
        self._add(PodChange, time, namespace="x", name=name, app="", uid=name, event=event, run=run)

    def _add(self, kind: Any, time: float, **what: Any) -> None:
        self.now = time
        self.timeline.add(lambda sequence, now: kind(sequence=sequence, time=now, node="a", **what))

    def node(self, *, at_rest: bool = True, outcome: Outcome = Outcome.SUCCESS) -> Any:
        change = SimpleNamespace(outcome=outcome, started=10.0, answered=30.0, mark=0)
        mark = self.timeline.mark() if at_rest else 0
        arrival = SimpleNamespace(reconfiguration=change)
        return SimpleNamespace(
            name="a", arrival=arrival, at_rest=mark, left=None, cluster=SimpleNamespace(timeline=self.timeline)
        )


@pytest.fixture
def watched() -> Watched:
    made = Watched()
    made.counts(20, 0)
    made.counts(40, 7)
    made.counts(50, 8)
    made.counts(55, 8, "capacity")
    made.labels(60)
    made.pod(61, "early", PodEvent.APPEARED)
    made.pod(62, "user", PodEvent.APPEARED, run=None)
    made.pod(63, "user", PodEvent.READY, run=None)
    return made


def test_the_last_count_and_the_last_labels_before_rest_end_the_change(watched: Watched) -> None:
    node = watched.node()
    watched.counts(70, 9)
    watched.pod(71, "early", PodEvent.READY)
    watched.pod(72, "late", PodEvent.APPEARED)
    watched.pod(99, "late", PodEvent.READY)

    assert list(convergence(node)) == [
        ("label-to-success", 20.0),
        ("success-to-allocatable", 20.0),
        ("success-to-labels", 30.0),
        ("pod-to-running", 10.0),
    ]


def test_a_node_that_did_not_come_to_rest_tells_of_the_answer_alone(watched: Watched) -> None:
    assert list(convergence(watched.node(at_rest=False))) == [("label-to-success", 20.0)]


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.SUCCESS])
def test_nothing_is_measured_without_a_success(watched: Watched, outcome: Outcome) -> None:
    assert not list(convergence(watched.node(outcome=outcome)))


def test_nothing_is_measured_on_a_node_that_was_only_read() -> None:
    assert not list(convergence(SimpleNamespace(arrival=None)))  # type: ignore[arg-type]
