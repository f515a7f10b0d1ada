"""Work on many nodes at the same time: results, errors, and an end of all waits."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cluster.errors import ClusterError
from conformance.operations import side_by_side as module
from conformance.operations.side_by_side import AT_ONCE, results, side_by_side
from tests.suite.memory import Memory

LONG = 20.0
"""Real seconds that nothing here must take."""
CLUSTER = Memory().cluster


def work(name: str) -> str:
    if name.startswith("bad"):
        raise ClusterError(name)
    return name.upper()


@given(st.lists(st.sampled_from(["a", "b", "c", "bad", "bad2"]), unique=True))
def test_every_node_has_its_result_or_its_error(names: list[str]) -> None:
    outcomes = side_by_side(CLUSTER, names, work)

    assert list(outcomes) == names
    for name, outcome in outcomes.items():
        if name.startswith("bad"):
            assert isinstance(outcome, ClusterError)
            assert str(outcome) == name
        else:
            assert outcome == name.upper()


def test_an_error_on_one_node_leaves_the_others_to_their_end() -> None:
    """All have begun before it breaks, and go on after."""
    begun, ended = threading.Barrier(3), []

    def act(name: str) -> None:
        begun.wait(LONG)
        if name == "bad":
            raise ZeroDivisionError
        ended.append(name)

    outcomes = side_by_side(CLUSTER, ["a", "bad", "b"], act)

    assert sorted(ended) == ["a", "b"]
    assert isinstance(outcomes["bad"], ZeroDivisionError)


def test_results_are_those_of_all_or_the_first_error() -> None:
    assert results({"a": 1, "b": 2}) == {"a": 1, "b": 2}
    first = ClusterError("first")
    with pytest.raises(ClusterError) as raised:
        results({"a": 1, "b": first, "c": ClusterError("second")})
    assert raised.value is first


class Counting:
    """Counts how many are at work at the same time; each waits until as many are as may be."""

    def __init__(self, together: int) -> None:
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        self._together = threading.Barrier(together)

    def __call__(self, name: str) -> str:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self._together.wait(LONG)
        with self._lock:
            self._now -= 1
        return name


@pytest.mark.parametrize(("count", "at_once"), [(6, 2), (6, 3), (6, 6), (4, 1)])
def test_no_more_are_worked_on_at_once_than_was_said(count: int, at_once: int) -> None:
    """And as many as was said: each waits for the others."""
    counting = Counting(at_once)
    names = [f"n{number}" for number in range(count)]

    assert results(side_by_side(CLUSTER, names, counting, at_once=at_once)) == {name: name for name in names}
    assert counting.most == at_once


def test_there_is_a_limit_for_all_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    assert AT_ONCE == 256
    monkeypatch.setattr(module, "AT_ONCE", 2)
    counting = Counting(2)

    side_by_side(CLUSTER, list("abcdef"), counting, at_once=4)

    assert counting.most == 2


def test_one_node_within_the_work_on_a_node_takes_no_thread_more() -> None:
    """What works on one node may use what works on many."""

    def inner(name: str) -> tuple[str, int]:
        return name, threading.get_ident()

    def outer(name: str) -> bool:
        return results(side_by_side(CLUSTER, [name], inner)) == {name: (name, threading.get_ident())}

    assert results(side_by_side(CLUSTER, ["a", "b"], outer)) == {"a": True, "b": True}
    assert results(side_by_side(CLUSTER, ["a"], inner))["a"][1] != threading.get_ident()


def test_nobody_is_nothing_to_do() -> None:
    assert side_by_side(CLUSTER, [], work) == {}


def test_progress_is_told_while_nodes_are_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last node goes on until it was told that the others are done."""
    monkeypatch.setattr(module, "_PROGRESS_INTERVAL", 0.01)
    told: list[tuple[int, int]] = []
    heard = threading.Event()

    def tell(done: int, of: int) -> None:
        told.append((done, of))
        if done == 2:
            heard.set()

    def act(name: str) -> bool:
        return name != "slow" or heard.wait(LONG)

    assert results(side_by_side(CLUSTER, ["a", "b", "slow"], act, tell)) == dict.fromkeys(["a", "b", "slow"], True)
    assert told[-1] == (2, 3)


class Interrupted:
    """Work on nodes that waits in vain, and a Ctrl-C as soon as so many have begun."""

    def __init__(self, when: int) -> None:
        self.cluster = Memory().cluster
        self.begun: list[str] = []
        self.ended: list[str] = []
        self._when = when

    def __call__(self, name: str) -> None:
        self.begun.append(name)
        try:
            self.cluster.wait(lambda: None, "nothing", LONG)
        finally:
            self.ended.append(name)

    def interrupt(self, done: int, of: int) -> None:
        del done, of
        if len(self.begun) >= self._when:
            raise KeyboardInterrupt


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PROGRESS_INTERVAL", 0.01)


@pytest.mark.usefixtures("_soon")
def test_ctrl_c_ends_every_wait_and_is_raised_when_the_last_thread_has_ended() -> None:
    """Waits go on again afterwards: the cluster must be put back."""
    act, begun = Interrupted(3), time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        side_by_side(act.cluster, ["a", "b", "c"], act, act.interrupt)

    assert sorted(act.ended) == ["a", "b", "c"]
    assert time.monotonic() - begun < LONG / 2
    assert act.cluster.wait(lambda: True, "something", 1)


@pytest.mark.usefixtures("_soon")
def test_after_ctrl_c_nodes_that_have_not_begun_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that begins then would be changed before its first wait ends it; threads have time to begin one here."""
    act = Interrupted(2)
    stop = act.cluster.stop_waiting

    def stop_slowly(reason: ClusterError | None) -> None:
        stop(reason)
        threading.Event().wait(0.2)

    monkeypatch.setattr(act.cluster, "stop_waiting", stop_slowly)

    with pytest.raises(KeyboardInterrupt):
        side_by_side(act.cluster, list("abcdef"), act, act.interrupt, at_once=2)

    assert (act.begun, sorted(act.ended)) == (["a", "b"], ["a", "b"])


def test_an_interrupt_while_a_thread_starts_leaves_none_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal may come when the thread runs already, and the main thread has not returned from starting it."""
    start, stopped = threading.Thread.start, threading.Event()

    def interrupted_start(thread: threading.Thread) -> None:
        start(thread)
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted_start)
    monkeypatch.setattr(CLUSTER, "stop_waiting", lambda _: stopped.set())
    with pytest.raises(KeyboardInterrupt):
        side_by_side(CLUSTER, ["a"], lambda _: stopped.wait(LONG))

    for thread in threading.enumerate():
        if thread.name == "side by side":
            thread.join(LONG)
            assert not thread.is_alive()
