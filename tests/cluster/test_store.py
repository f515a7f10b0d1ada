"""A change wakes those who wait for its node and those who wait for the cluster as a whole, nobody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from conformance.cluster.clock import RealClock
from conformance.cluster.errors import ClusterError
from conformance.cluster.store import Store, key_of
from conformance.cluster.timeline import Timeline
from conformance.cluster.waiting import Waiter
from conformance.spec.names import HOSTNAME

META = {"creationTimestamp": "2026-11-24T12:00:00Z", "uid": "u"}
LONG = 20.0
"""Real seconds that no wait of these tests must take."""


def node(name: str, version: int, **labels: str) -> dict[str, Any]:
    return {"metadata": META | {"name": name, "resourceVersion": str(version), "labels": labels}}


def pod(name: str, version: int, *, bound: str = "", tied: str = "") -> dict[str, Any]:
    rule = {"key": HOSTNAME, "operator": "In", "values": [tied]}
    terms = [{"matchExpressions": [rule]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    spec = ({"nodeName": bound} if bound else {}) | ({"affinity": {"nodeAffinity": required}} if tied else {})
    return {"metadata": META | {"name": name, "namespace": "n", "resourceVersion": str(version)}, "spec": spec}


@pytest.fixture
def store() -> Store:
    clock = RealClock()
    store = Store(Timeline(clock.now))
    store.replace(store.nodes, {("", name): node(name, 1) for name in "ab"})
    store.replace(store.pods, {})
    return store


def revisions(store: Store) -> tuple[int, int]:
    return store.revision("a"), store.revision("b")


def risen(store: Store, act: Callable[[], None]) -> tuple[bool, bool, bool]:
    """Whether what was done concerns node a, node b, and the cluster as a whole."""
    before, whole = revisions(store), store.revision()
    act()
    after = revisions(store)
    return after[0] > before[0], after[1] > before[1], store.revision() > whole


def test_a_change_of_a_node_concerns_that_node(store: Store) -> None:
    assert risen(store, lambda: store.apply(store.nodes, node("a", 2), deleted=False)) == (True, False, True)
    assert risen(store, lambda: store.apply(store.nodes, node("b", 2), deleted=True)) == (False, True, True)


def test_what_is_no_change_wakes_nobody_for_a_node(store: Store) -> None:
    assert risen(store, lambda: store.apply(store.nodes, node("a", 1), deleted=False))[:2] == (False, False)


def test_a_pod_concerns_the_node_that_it_is_bound_to(store: Store) -> None:
    assert risen(store, lambda: store.apply(store.pods, pod("p", 1, bound="a"), deleted=False)) == (True, False, True)


def test_a_pod_that_is_bound_to_none_concerns_the_one_node_that_it_is_tied_to(store: Store) -> None:
    """The scheduler's word on it comes while it is bound to none."""
    assert risen(store, lambda: store.apply(store.pods, pod("p", 1, tied="b"), deleted=False)) == (False, True, True)


def test_a_pod_that_moves_concerns_both_nodes(store: Store) -> None:
    store.apply(store.pods, pod("p", 1, tied="a"), deleted=False)

    assert risen(store, lambda: store.apply(store.pods, pod("p", 2, bound="b"), deleted=False)) == (True, True, True)


def test_a_pod_of_no_node_concerns_the_cluster_alone(store: Store) -> None:
    assert risen(store, lambda: store.apply(store.pods, pod("p", 1), deleted=False)) == (False, False, True)


@pytest.mark.parametrize(
    "act",
    [
        lambda store: store.replace(store.nodes, {("", "a"): node("a", 9)}),
        lambda store: store.fail(store.nodes, ClusterError("gone")),
        lambda store: store.wake_all(),
    ],
    ids=["a new list", "a failure", "an end of all waits"],
)
def test_what_concerns_everybody_is_heard_by_whoever_looked_before(act: Callable[[Store], None], store: Store) -> None:
    """Also by one who has looked and does not wait yet: it would sleep over it otherwise."""
    assert risen(store, lambda: act(store)) == (True, True, True)


def test_unbound_pods_are_found_by_no_node_and_bound_ones_by_theirs(store: Store) -> None:
    store.apply(store.pods, pod("p", 1, tied="a"), deleted=False)
    store.apply(store.pods, pod("q", 1, bound="a"), deleted=False)

    assert [view.name for view in store.all(store.pods, "a")] == ["q"]
    assert [view.name for view in store.all(store.pods)] == ["p", "q"]
    store.apply(store.pods, pod("p", 2, bound="a"), deleted=False)
    assert [view.name for view in store.all(store.pods, "a")] == ["p", "q"]


def test_the_key_of_an_object() -> None:
    assert key_of(node("a", 1)) == ("", "a")
    assert key_of(pod("p", 1)) == ("n", "p")


# Waits --------------------------------------------------------------------------------------------------------------


class Looking:
    """A thread that waits for a node (None: the cluster), and counts its looks."""

    def __init__(self, waiter: Waiter, home: str | None) -> None:
        self.looks = 0
        self.error: Exception | None = None
        self._waiter = waiter
        self._home = home
        self._done = threading.Event()
        self._looked = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Looking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._waiter.stop(ClusterError("the test is over"))
        self._thread.join(LONG)
        assert not self._thread.is_alive()

    def until(self, looks: int) -> None:
        """Return when it has looked so often."""
        with self._looked:
            assert self._looked.wait_for(lambda: self.looks >= looks, LONG)

    def _run(self) -> None:
        try:
            self._waiter.wait(self._look, "nothing", LONG, node=self._home)
        except ClusterError as error:
            self.error = error

    def _look(self) -> None:
        with self._looked:
            self.looks += 1
            self._looked.notify_all()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks again of himself, so that only who is woken looks."""
    monkeypatch.setattr("conformance.cluster.waiting._INTERVAL", LONG)


@pytest.mark.usefixtures("patient")
def test_a_change_of_one_node_does_not_wake_those_who_wait_for_another(store: Store) -> None:
    waiter = Waiter(store, RealClock(), 0)
    with Looking(waiter, "a") as of_a, Looking(waiter, "b") as of_b, Looking(waiter, None) as of_all:
        for one in (of_a, of_b, of_all):
            one.until(1)
        for version in range(2, 12):
            looks = of_a.looks, of_all.looks
            store.apply(store.nodes, node("a", version), deleted=False)
            of_a.until(looks[0] + 1)
            of_all.until(looks[1] + 1)
        assert of_b.looks == 1
        store.apply(store.nodes, node("b", 2), deleted=False)
        of_b.until(2)


@pytest.mark.usefixtures("patient")
def test_a_pod_that_is_tied_to_a_node_wakes_those_who_wait_for_that_node(store: Store) -> None:
    waiter = Waiter(store, RealClock(), 0)
    with Looking(waiter, "a") as of_a, Looking(waiter, "b") as of_b:
        of_a.until(1)
        of_b.until(1)
        store.apply(store.pods, pod("p", 1, tied="a"), deleted=False)
        of_a.until(2)
        assert of_b.looks == 1


@pytest.mark.usefixtures("patient")
def test_every_wait_ends_at_once_when_it_is_stopped_and_later_ones_go_on(store: Store) -> None:
    waiter, begun = Waiter(store, RealClock(), 0), time.monotonic()
    with Looking(waiter, "a") as of_a, Looking(waiter, None) as of_all:
        of_a.until(1)
        of_all.until(1)
    assert [str(one.error) for one in (of_a, of_all)] == ["the test is over"] * 2
    assert time.monotonic() - begun < LONG / 2

    waiter.stop(None)
    assert waiter.wait(lambda: True, "something", 1, node="a")


@pytest.mark.usefixtures("patient")
def test_a_failure_of_the_watch_ends_every_wait(store: Store) -> None:
    waiter = Waiter(store, RealClock(), 0)
    with Looking(waiter, "a") as of_a:
        of_a.until(1)
        store.fail(store.pods, ClusterError("no longer watched"))
        of_a._thread.join(LONG)
        assert str(of_a.error) == "no longer watched"
