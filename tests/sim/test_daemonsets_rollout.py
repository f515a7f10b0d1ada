"""Which pods a DaemonSet makes, deletes and replaces, and what it says about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.sim.controller import template_hash
from conformance.sim.daemonsets.placement import Verdict
from conformance.sim.daemonsets.rollout import FailureBackOff, Plan, Rollout

WANTED = Verdict(create=True, keep=True)
TOLERATED = Verdict(create=False, keep=True)
UNWANTED = Verdict(create=False, keep=False)
NEW, OLD = "new", "old"


def daemon_set(kind: str = "RollingUpdate", limit: int | str = 1) -> dict[str, Any]:
    rolling = {"rollingUpdate": {"maxUnavailable": limit}} if kind == "RollingUpdate" else {}
    return {"metadata": {"generation": 4}, "spec": {"updateStrategy": {"type": kind, **rolling}}}


def pod(
    name: str, revision: str = NEW, *, ready: bool = True, ending: bool = False, phase: str = "Running", age: int = 0
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "metadata": {
            "name": name,
            "creationTimestamp": f"2026-01-01T00:00:{59 - age:02}Z",
            "labels": {"controller-revision-hash": revision},
        },
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}]},
    }
    if ending:
        made["metadata"]["deletionTimestamp"] = "2026-01-01T00:01:00Z"
    return made


Pods = Mapping[str, Sequence[dict[str, Any]]]


def rollout(verdicts: Mapping[str, Verdict], pods: Pods) -> Rollout:
    made = Rollout()
    made.set_verdicts(verdicts)
    for node, on_node in pods.items():
        for item in on_node:
            made.set_pod(item["metadata"]["name"], node, item)
    return made


def plan(daemon_set: dict[str, Any], verdicts: Mapping[str, Verdict], pods: Pods, revision: str) -> Plan:
    return rollout(verdicts, pods).plan(daemon_set, revision)


def status(
    daemon_set: dict[str, Any], verdicts: Mapping[str, Verdict], pods: Pods, revision: str
) -> dict[str, int | None]:
    return rollout(verdicts, pods).status(daemon_set, revision)


def names(chosen: Plan) -> list[str]:
    return [item["metadata"]["name"] for item in chosen.delete]


def test_one_pod_for_every_wanted_node() -> None:
    verdicts = {"a": WANTED, "b": WANTED, "c": TOLERATED, "d": UNWANTED}

    assert plan(daemon_set(), verdicts, {"a": [pod("one")]}, NEW) == Plan(("b",), ())


def test_a_successor_waits_until_the_former_pod_has_gone() -> None:
    assert plan(daemon_set(), {"a": WANTED}, {"a": [pod("one", ending=True)]}, NEW) == Plan((), ())


def test_pods_that_may_not_stay_are_deleted_once() -> None:
    pods = {"a": [pod("one")], "b": [pod("two", ending=True)], "c": [pod("three")], "gone": [pod("four")]}

    chosen = plan(daemon_set(), {"a": UNWANTED, "b": UNWANTED, "c": TOLERATED}, pods, NEW)

    assert names(chosen) == ["one", "four"]


def test_failed_pods_and_all_but_the_oldest_go() -> None:
    pods = {"a": [pod("young", age=1), pod("old", age=9), pod("failed", phase="Failed")]}

    assert names(plan(daemon_set(), {"a": WANTED}, pods, NEW)) == ["failed", "young"]


def test_a_roll_goes_node_by_node() -> None:
    verdicts = dict.fromkeys("abc", WANTED)
    pods = {node: [pod(node, OLD)] for node in "abc"}

    assert names(plan(daemon_set(), verdicts, pods, NEW)) == ["a"]
    pods["a"] = [pod("a2", ready=False)]
    assert names(plan(daemon_set(), verdicts, pods, NEW)) == []
    pods["a"] = [pod("a2")]
    assert names(plan(daemon_set(), verdicts, pods, NEW)) == ["b"]


def test_outdated_pods_that_do_not_work_are_replaced_whatever_the_limit() -> None:
    pods = {"a": [pod("a", OLD, ready=False)], "b": [pod("b", OLD, ready=False)], "c": [pod("c", OLD)]}

    assert names(plan(daemon_set(), dict.fromkeys("abc", WANTED), pods, NEW)) == ["a", "b"]


def test_a_new_pod_that_never_gets_ready_stops_the_roll() -> None:
    pods = {"a": [pod("a", NEW, ready=False)], "b": [pod("b", OLD)]}

    assert plan(daemon_set(), dict.fromkeys("ab", WANTED), pods, NEW) == Plan((), ())


@pytest.mark.parametrize(("limit", "replaced"), [(2, 2), ("2", 1), ("50%", 2), ("34%", 2), ("100%", 4)])
def test_the_limit_of_unavailable_pods(limit: int | str, replaced: int) -> None:
    pods = {node: [pod(node, OLD)] for node in "abcd"}

    assert len(plan(daemon_set(limit=limit), dict.fromkeys("abcd", WANTED), pods, NEW).delete) == replaced


def test_on_delete_replaces_nothing() -> None:
    assert plan(daemon_set("OnDelete"), {"a": WANTED}, {"a": [pod("a", OLD)]}, NEW) == Plan((), ())


def test_status_counts() -> None:
    verdicts = {"a": WANTED, "b": WANTED, "c": WANTED, "d": UNWANTED}
    pods = {"a": [pod("a")], "b": [pod("b", OLD, ready=False)], "d": [pod("d", ending=True)]}

    assert status(daemon_set(), verdicts, pods, NEW) == {
        "desiredNumberScheduled": 3,
        "currentNumberScheduled": 2,
        "numberReady": 1,
        "numberAvailable": 1,
        "numberUnavailable": 2,
        "updatedNumberScheduled": 1,
        "numberMisscheduled": 1,
        "observedGeneration": 4,
    }


def test_status_of_an_unwanted_daemon_set_leaves_counters_out() -> None:
    found = status(daemon_set(), {"a": UNWANTED}, {}, NEW)

    assert {name for name, count in found.items() if count is None} == {
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
    }


PODS = st.builds(pod, st.uuids().map(str), st.sampled_from([NEW, OLD]), ready=st.booleans(), ending=st.booleans())


@given(st.lists(st.tuples(st.sampled_from([WANTED, TOLERATED, UNWANTED]), st.lists(PODS, max_size=3)), max_size=6))
def test_in_a_healthy_cluster_the_plan_comes_to_rest(nodes: Sequence[tuple[Verdict, list[dict[str, Any]]]]) -> None:
    """Whatever the start: in the end every wanted node has one new pod, and no node has one that may not keep it."""
    verdicts = {str(index): verdict for index, (verdict, _) in enumerate(nodes)}
    pods = {str(index): list(on_node) for index, (_, on_node) in enumerate(nodes)}
    for step in range(20):
        chosen = plan(daemon_set(), verdicts, pods, NEW)
        pods = {node: settled(on_node, chosen.delete) for node, on_node in pods.items()}
        for node in chosen.create_on:
            pods[node].append(pod(f"{node}-{step}", NEW))

    assert plan(daemon_set(), verdicts, pods, NEW) == Plan((), ())
    for node, verdict in verdicts.items():
        revisions = [item["metadata"]["labels"]["controller-revision-hash"] for item in pods[node]]
        assert revisions == [NEW] or verdict is not WANTED
        assert revisions == [] or verdict is not UNWANTED


def settled(on_node: list[dict[str, Any]], deleted: Sequence[Any]) -> list[dict[str, Any]]:
    """The pods of a node a while later: who was to end has gone, the others have become ready."""
    ended = {id(item) for item in deleted}
    stay = (item for item in on_node if id(item) not in ended and "deletionTimestamp" not in item["metadata"])
    return [
        item | {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}} for item in stay
    ]


VERDICTS = st.sampled_from([WANTED, TOLERATED, UNWANTED, None])
CHANGES = st.one_of(
    st.tuples(st.just("verdict"), st.sampled_from("abcd"), VERDICTS),
    st.tuples(
        st.just("pod"),
        st.sampled_from("abcd"),
        st.builds(
            pod,
            st.sampled_from("uvwxyz"),
            st.sampled_from([NEW, OLD]),
            ready=st.booleans(),
            ending=st.booleans(),
            phase=st.sampled_from(["Running", "Failed"]),
        ),
    ),
    st.tuples(st.just("gone"), st.sampled_from("uvwxyz"), st.none()),
)


@given(st.lists(st.tuples(CHANGES, st.sampled_from([NEW, OLD])), max_size=30), st.sampled_from([1, 2, "50%"]))
def test_after_any_changes_a_rollout_says_what_a_new_one_would(
    changes: Sequence[tuple[tuple[str, str, Any], str]], limit: int | str
) -> None:
    kept, verdicts, on_node = Rollout(), dict[str, Verdict](), dict[str, tuple[str, dict[str, Any]]]()
    for (what, name, value), revision in changes:
        match what, value:
            case "verdict", None:
                kept.drop_verdict(name)
                verdicts.pop(name, None)
            case "verdict", verdict:
                kept.set_verdict(name, verdict)
                verdicts[name] = verdict
            case "pod", item:
                uid = item["metadata"]["name"]
                node = on_node[uid][0] if uid in on_node else name
                kept.set_pod(uid, node, item)
                on_node[uid] = node, item
            case _:
                kept.drop_pod(name)
                on_node.pop(name, None)
        new = Rollout()
        new.set_verdicts(verdicts)
        for uid, (node, item) in on_node.items():
            new.set_pod(uid, node, item)
        assert kept.plan(daemon_set(limit=limit), revision) == new.plan(daemon_set(limit=limit), revision)
        assert kept.status(daemon_set(), revision) == new.status(daemon_set(), revision)


def test_the_hash_follows_the_template_alone() -> None:
    one = {"metadata": {"uid": "1"}, "spec": {"template": {"spec": {"a": 1, "b": 2}}}}
    two = {"metadata": {"uid": "2"}, "spec": {"template": {"spec": {"b": 2, "a": 1}}}}
    other = {"spec": {"template": {"spec": {"a": 1, "b": 3}}}}

    assert template_hash(one) == template_hash(two) != template_hash(other)


def test_waits_double_up_to_fifteen_minutes_per_place() -> None:
    back_off = FailureBackOff()
    now, waits = 0.0, []
    for _ in range(12):
        assert back_off.remaining("here", now) == 0
        waits.append(back_off.remaining("here", now))
        now += waits[-1]

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert back_off.remaining("elsewhere", now) == 0


def test_a_place_that_was_quiet_for_long_starts_anew() -> None:
    back_off = FailureBackOff()
    for moment in (0, 1, 3):
        assert back_off.remaining("here", moment) == 0

    assert back_off.remaining("here", 5000) == 0
    assert back_off.remaining("here", 5000) == 1
