"""Which states there are, which a case takes, and the order that visits each once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from conformance.expect.kinds import GeometryKind
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import Strategy
from conformance.suite.cells import (
    ANY_UNIFORM_CELL,
    AS_FOUND,
    CERTIFIED_STRATEGIES,
    Spot,
    cells,
    configuration_order,
    strategy_order,
)
from tests.suite.made import KINDS, cell

FOUND = st.sampled_from(Strategy)
NAMES = st.sets(st.sampled_from([*KINDS, "custom"]))


@given(FOUND)
def test_the_strategy_that_was_found_comes_first_and_each_once(found: Strategy) -> None:
    ordered = strategy_order(found)

    assert set(ordered) == set(CERTIFIED_STRATEGIES)
    assert len(ordered) == len(CERTIFIED_STRATEGIES)
    assert ordered[0] is (found if found in CERTIFIED_STRATEGIES else Strategy.SINGLE)


@given(NAMES, st.sampled_from(list(KINDS)))
def test_the_strategy_is_switched_where_a_case_watches_it(others: set[str], switch_at: str) -> None:
    names = others | {switch_at}

    assert configuration_order(names, last=switch_at)[-1] == switch_at
    assert configuration_order(names, first=switch_at)[0] == switch_at


@given(NAMES, st.none() | st.sampled_from(list(KINDS)), st.booleans())
def test_every_configuration_is_visited_once(names: set[str], switch_at: str | None, before: bool) -> None:
    ordered = configuration_order(names, **{"last" if before else "first": switch_at})

    assert len(ordered) == len(set(ordered))
    assert set(ordered) == names


def test_the_configuration_of_new_nodes_comes_first() -> None:
    wanted = ["all-balanced", ALL_DISABLED, "all-1g.10gb"]

    assert configuration_order(wanted) == [ALL_DISABLED, "all-1g.10gb", "all-balanced"]


@given(st.sampled_from(Strategy), st.sampled_from(GeometryKind))
def test_without_arguments_a_case_runs_everywhere(strategy: Strategy, kind: GeometryKind) -> None:
    assert cells().takes(strategy, kind) == (strategy in CERTIFIED_STRATEGIES)


def test_a_case_runs_where_it_says_and_not_where_it_makes_an_exception() -> None:
    exception = [(Strategy.SINGLE, GeometryKind.UNEVEN)]
    selection = cells(kinds=[GeometryKind.UNIFORM, GeometryKind.UNEVEN], exclude=exception)

    taken = {(s, k) for s in Strategy for k in GeometryKind if selection.takes(s, k)}
    assert taken == {
        (Strategy.SINGLE, GeometryKind.UNIFORM),
        (Strategy.MIXED, GeometryKind.UNIFORM),
        (Strategy.MIXED, GeometryKind.UNEVEN),
    }


def test_several_profiles_take_the_place_of_one_where_a_node_offers_none_of_one() -> None:
    uniform, uneven, off = GeometryKind.UNIFORM, GeometryKind.UNEVEN, GeometryKind.OFF
    unlike, alike = [off, uneven], [off, uneven, uniform]

    def taken(offered: list[GeometryKind]) -> set[tuple[Strategy, GeometryKind]]:
        return {(s, k) for s in Strategy for k in offered if ANY_UNIFORM_CELL.takes(s, k, offered)}

    assert taken(alike) == {(Strategy.SINGLE, uniform), (Strategy.MIXED, uniform)}
    assert taken(unlike) == {(Strategy.MIXED, uneven)}
    assert not taken([off])


def test_cells_and_spots_have_readable_ids() -> None:
    before, after = cell("single-all-1g.10gb"), cell("mixed-all-1g.10gb")

    assert str(Spot(after, "sim-0")) == "mixed-all-1g.10gb-sim-0"
    assert str(Spot(after, "sim-0", wave=3)) == "mixed-all-1g.10gb-sim-0"
    assert str(Spot(after, "sim-0", wave=AS_FOUND)) == "mixed-all-1g.10gb-sim-0"
    assert str(Spot(after, "sim-0", after=before)) == "single-all-1g.10gb-to-mixed-all-1g.10gb-sim-0"
