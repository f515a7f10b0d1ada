"""The store: revisions, history, snapshots and what it costs."""

from __future__ import annotations

import pytest

from conformance.sim.apiserver.errors import ApiError
from conformance.sim.apiserver.objects import Event
from conformance.sim.apiserver.resources.decode import Reading
from conformance.sim.apiserver.resources.schema import schema_of
from conformance.sim.apiserver.storage.store import Collection, Store

PODS = ("", "pods")


def pod(name: str, **labels: str) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "n", "labels": labels}}


@pytest.fixture
def pods() -> Collection:
    return Store(history=4).collection(PODS)


def test_every_change_has_a_revision_of_its_own(pods: Collection) -> None:
    seen: list[Event] = []
    pods.listen(seen.append)
    pods.put(pod("a"))
    pods.put(pod("a", x="1"))
    pods.remove(("n", "a"))
    assert [event.type for event in seen] == ["ADDED", "MODIFIED", "DELETED"]
    first = Store.FIRST_REVISION
    assert [event.revision for event in seen] == [first + 1, first + 2, first + 3]
    assert seen[2].record.data["metadata"]["resourceVersion"] == str(first + 3)
    assert seen[2].previous is seen[1].record


def test_history_is_bounded_and_says_what_it_forgot(pods: Collection) -> None:
    revisions = [pods.put(pod(f"p{number}")).revision for number in range(6)]
    assert pods.floor == revisions[1]
    assert [event.revision for event in pods.since(revisions[1])] == revisions[2:]
    assert [event.revision for event in pods.since(revisions[4])] == revisions[5:]


def test_past_states_can_be_seen_as_far_as_the_history_goes(pods: Collection) -> None:
    pods.put(pod("a"))
    start = pods.put(pod("b", x="1")).revision
    pods.put(pod("b", x="2"))
    pods.remove(("n", "a"))
    pods.put(pod("c"))
    then = {record.key[1]: record.data["metadata"]["labels"] for record in pods.records_at(start)}
    assert then == {"a": {}, "b": {"x": "1"}}
    with pytest.raises(ApiError, match="too old"):
        pods.records_at(Store.FIRST_REVISION - 1)


def test_listener_can_leave(pods: Collection) -> None:
    seen: list[Event] = []
    leave = pods.listen(seen.append)
    pods.put(pod("a"))
    leave()
    pods.put(pod("b"))
    assert len(seen) == 1


def test_object_is_encoded_once(pods: Collection) -> None:
    record = pods.put(pod("a"))
    assert record.json is record.json


def test_only_what_has_changed_is_read_again() -> None:
    """A status patch of a node with many labels costs what it changes."""
    node = {"metadata": {"labels": {f"l{number}": "v" for number in range(50)}}, "status": {"capacity": {"cpu": "8"}}}
    stored = Reading().read(node, schema_of("V1Node"))
    changed = Reading().read({**stored, "status": {"capacity": {"cpu": 9}}}, schema_of("V1Node"), stored)
    assert changed["metadata"] is stored["metadata"]
    assert changed["status"]["capacity"] == {"cpu": "9"}
