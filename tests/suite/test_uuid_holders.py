"""The nodes by UUID, each node as it was read last."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from conformance.suite.observer import Observation
from conformance.suite.uuid_holders import UuidHolders
from tests.expect.made import SEVEN, gpu

READINGS = st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 3), unique=True)), max_size=8)


def test_a_node_has_its_gpus_and_their_devices() -> None:
    holders = UuidHolders()
    holders.note("a", Observation((gpu(SEVEN), gpu(index=1)), ()))

    assert len(holders.of("a")) == 9
    assert set(holders.of("a").values()) == {("a",)}
    assert holders.of("b") == {}


@given(READINGS)
def test_a_uuid_is_on_the_nodes_that_had_it_when_they_were_read_last(readings: list[tuple[str, list[int]]]) -> None:
    holders = UuidHolders()
    for node, indices in readings:
        holders.note(node, Observation(tuple(gpu(index=index) for index in indices), ()))
    last = {node: {gpu(index=index).uuid for index in indices} for node, indices in readings}

    for node, uuids in last.items():
        assert holders.of(node) == {
            uuid: tuple(sorted(other for other, others in last.items() if uuid in others)) for uuid in uuids
        }
