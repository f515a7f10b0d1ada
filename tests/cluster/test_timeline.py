"""Parts of what happened: from one mark to another, of one node or all."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cluster.changes import Change, LabelChange, PodChange, PodEvent
from conformance.cluster.timeline import Timeline

NODES = st.sampled_from(["a", "b", ""])


def made(nodes: list[str]) -> Timeline:
    """A timeline in which a label of each of these nodes changes, one a second."""
    seconds = itertools.count(1)
    timeline = Timeline(lambda: float(next(seconds)))
    for number, name in enumerate(nodes):
        timeline.add(
            lambda sequence, time, name=name, number=number: LabelChange(  # type: ignore[misc]
                sequence=sequence, time=time, node=name, before={}, after={"nvidia.com/x": str(number)}, version=""
            )
        )
    return timeline


def texts(changes: tuple[Change, ...]) -> list[str]:
    return [change.describe() for change in changes]


@given(st.lists(NODES, max_size=12), st.integers(0, 12), st.none() | st.integers(0, 12), st.none() | NODES)
def test_a_part_is_what_happened_between_two_marks(
    nodes: list[str], mark: int, end: int | None, node: str | None
) -> None:
    """The same for one node as for all, but for the others'."""
    expected = [
        f"x={number}"
        for number, name in enumerate(nodes)
        if mark <= number and (end is None or number < end) and node in (None, name)
    ]

    assert texts(made(nodes).between(mark, end, node=node)) == expected


@given(st.lists(NODES, max_size=12), st.integers(0, 12), st.none() | NODES)
def test_since_goes_on_to_the_end(nodes: list[str], mark: int, node: str | None) -> None:
    timeline = made(nodes)

    assert timeline.since(mark, node=node) == timeline.between(mark, timeline.mark(), node=node)
    assert timeline.of(LabelChange, mark, node=node) == timeline.since(mark, node=node)


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ({}, ["x=0", "x=1", "x=2", "x=3"]),
        ({"mark": 1, "end": 3}, ["x=1", "x=2"]),
        ({"end": 3, "node": "a"}, ["x=0", "x=2"]),
        ({"last": 2}, ["x=2", "x=3"]),
        ({"end": 3, "last": 1}, ["x=2"]),
    ],
)
def test_rendered_parts(arguments: dict[str, object], lines: list[str]) -> None:
    rendered = made(["a", "b", "a", "b"]).render(**arguments)  # type: ignore[arg-type]

    assert [line.partition("s ago  ")[2] for line in rendered] == lines


def test_pods_of_the_suite_are_left_out_of_what_a_person_reads() -> None:
    timeline = Timeline(lambda: 0.0)
    for namespace in ("gpu-operator", "mig-conformance"):
        timeline.add(
            lambda sequence, time, namespace=namespace: PodChange(  # type: ignore[misc]
                sequence=sequence, time=time, node="a", namespace=namespace, name="p", uid="u", app="x",
                event=PodEvent.APPEARED,
            )
        )  # fmt: skip

    assert len(timeline.render()) == 2
    (line,) = timeline.render(without="mig-conformance")
    assert "gpu-operator" in line or "p" in line


@given(st.integers(0, 3), st.none() | st.integers(0, 3))
def test_lives_of_pods_are_those_of_the_part(mark: int, end: int | None) -> None:
    timeline = Timeline(itertools.count(1.0).__next__)
    for event in (PodEvent.APPEARED, PodEvent.READY, PodEvent.GONE):
        timeline.add(
            lambda sequence, time, event=event: PodChange(  # type: ignore[misc]
                sequence=sequence, time=time, node="a", namespace="n", name="p", uid="u", app="x", event=event
            )
        )
    seen = range(3)[mark:end]

    lives = timeline.pods("a", mark, end)

    assert len(lives) == (1 if seen else 0)
    for life in lives:
        assert [life.started, life.ready, life.ended] == [
            float(number + 1) if number in seen else None for number in range(3)
        ]
