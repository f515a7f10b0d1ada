"""What kubelet counts in a node's capacity, read from the timeline when the run has watched long enough."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cluster.changes import NodeChange, ResourceChange
from conformance.expect.resources import Leftover
from conformance.suite.scenarios.capacity import WatchCapacity, _away, _follow, still_counted
from tests.suite.memory import SHORT, Memory
from tests.suite.nodes import node_in

NAME = "nvidia.com/gpu"
Step = tuple[str, int | None, float]


def changes(*steps: Step) -> list[ResourceChange]:
    """Changes of a resource: field, the count after it, and when; the sequence follows."""
    return [
        ResourceChange(sequence=number, time=time, node="sim-0", resource=NAME, field=field, before=None, after=after)
        for number, (field, after, time) in enumerate(steps)
    ]


@pytest.mark.parametrize(
    ("steps", "left", "expected"),
    [
        ([], 0, (0.0, None, None)),
        ([("allocatable", 0, 10.0)], 1, (10.0, None, None)),
        ([("allocatable", None, 10.0)], 1, (10.0, None, None)),
        ([("allocatable", 0, 10.0), ("capacity", 0, 300.0)], 1, (10.0, 300.0, None)),
        ([("allocatable", 0, 10.0), ("capacity", None, 300.0)], 1, (10.0, 300.0, None)),
        ([("allocatable", 0, 10.0), ("allocatable", 7, 90.0)], 1, (10.0, None, 90.0)),
        ([("allocatable", 0, 10.0), ("allocatable", 7, 20.0), ("allocatable", 0, 30.0)], 3, (30.0, None, None)),
        ([("allocatable", 0, 10.0), ("capacity", 7, 20.0), ("capacity", 0, 99.0)], 1, (10.0, 99.0, None)),
        ([("allocatable", 0, 10.0), ("allocatable", 7, 90.0), ("allocatable", 0, 95.0)], 1, (10.0, None, 90.0)),
        ([("allocatable", 0, 10.0), ("capacity", 0, 300.0), ("capacity", 7, 400.0), ("capacity", 0, 900.0)], 1,
         (10.0, 300.0, None)),
    ],
    ids=[
        "was gone before the watch began", "gone", "gone by name", "forgotten", "forgotten by name", "back",
        "the last time counts", "counted anew before", "the first time back", "the first time forgotten",
    ],
)  # fmt: skip
def test_a_leftover_is_followed_from_the_moment_when_it_was_gone(
    steps: list[Step], left: int, expected: tuple[float, float | None, float | None]
) -> None:
    assert _follow(changes(*steps), NAME, 14, left) == Leftover(NAME, 14, *expected)


STEPS = st.lists(
    st.tuples(st.sampled_from(["allocatable", "capacity"]), st.none() | st.integers(0, 2), st.just(0.0)), max_size=12
)


@given(STEPS, st.integers(0, 12))
def test_it_is_gone_before_the_cell_was_left_and_forgotten_or_back_after(steps: list[Step], left: int) -> None:
    """Whatever happened before and after: the times are those of the changes that say so."""
    history = changes(*((field, after, float(number + 1)) for number, (field, after, _) in enumerate(steps)))

    one = _follow(history, NAME, 1, left)

    def times(these: Iterable[ResourceChange], field: str, *, zero: bool) -> list[float]:
        return [change.time for change in these if change.field == field and (not change.after) is zero]

    before, after = [history[:left], history[left:]]
    assert one.gone == max(times(before, "allocatable", zero=True), default=0.0)
    assert one.forgotten == min(times(after, "capacity", zero=True), default=None)
    assert one.back == min(times(after, "allocatable", zero=False), default=None)


@pytest.mark.parametrize(
    ("allocatable", "capacity", "names"),
    [
        ({}, {}, []),
        ({NAME: 7}, {NAME: 7}, []),
        ({NAME: 0}, {NAME: 0}, []),
        ({NAME: 0}, {NAME: 7}, [NAME]),
        ({}, {NAME: 7}, [NAME]),
        ({NAME: 1, "b": 0}, {NAME: 2, "c": 1, "b": 3}, ["b", "c"]),
    ],
)
def test_what_is_counted_although_nobody_advertises_it(
    allocatable: dict[str, int], capacity: dict[str, int], names: list[str]
) -> None:
    assert still_counted(allocatable, capacity) == names


def test_the_node_is_judged_as_it_was_when_it_left_its_cell() -> None:
    memory = Memory()
    memory.node(gpu=8)
    memory.watch()
    node = node_in(memory, "mixed-all-1g.10gb")
    memory.node(gpu=0)
    memory.capacity("sim-0", gpu=8)
    node.leave()
    memory.capacity("sim-0")

    seen = WatchCapacity().observe(node, None)

    assert seen.when_left == {NAME: 8}
    assert seen.grace == SHORT.capacity_grace
    (one,) = seen.leftovers
    assert (one.resource, one.count, one.back) == (NAME, 8, None)
    assert one.forgotten is not None
    assert 0 < one.gone <= one.forgotten <= seen.now


def test_what_is_advertised_although_it_must_not_be_is_no_leftover() -> None:
    """It has no grace."""
    memory = Memory()
    memory.node(gpu=8)
    node = node_in(memory, "mixed-all-1g.10gb")
    node.leave()

    seen = WatchCapacity().observe(node, None)

    assert (seen.when_left, seen.leftovers) == ({NAME: 8}, ())


def test_what_must_be_advertised_is_no_leftover_although_it_is_not() -> None:
    memory = Memory()
    memory.node(gpu=0)
    memory.capacity("sim-0", gpu=7)
    node = node_in(memory, "single-all-1g.10gb")

    assert WatchCapacity().observe(node, None).leftovers == ()


def test_a_node_that_never_left_is_judged_as_it_is() -> None:
    memory = Memory()
    memory.node(gpu=7)

    assert WatchCapacity().observe(node_in(memory, "single-all-1g.10gb"), None).when_left == {NAME: 7}


def ready(*steps: tuple[str, float]) -> list[NodeChange]:
    return [
        NodeChange(sequence=number, time=time, node="sim-0", field="ready", before="", after=after)
        for number, (after, time) in enumerate(steps)
    ]


@pytest.mark.parametrize(
    ("steps", "away"),
    [
        ([], ()),
        ([("False", 10.0), ("True", 40.0)], ((10.0, 40.0),)),
        ([("Unknown", 10.0), ("False", 20.0), ("True", 40.0)], ((10.0, 40.0),)),
        ([("False", 10.0), ("True", 40.0), ("False", 90.0)], ((10.0, 40.0), (90.0, 100.0))),
        ([("True", 40.0)], ()),
    ],
)
def test_a_node_is_away_until_it_is_ready(
    steps: list[tuple[str, float]], away: tuple[tuple[float, float], ...]
) -> None:
    assert _away(ready(*steps), 100.0) == away
