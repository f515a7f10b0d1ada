"""Where a pod fits, and why it does not: filters, sums and words of kube-scheduler."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.sim.kube import Object
from conformance.sim.scheduler.placement import matches_affinity, pinned_nodes
from conformance.sim.scheduler.snapshot import Snapshot, pod_requests
from conformance.sim.scheduler.verdict import Refusal, unschedulable_message
from tests.sim.stage import GPU, make_pod


def make_node(
    name: str = "a",
    *,
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Mapping[str, str]] = (),
    cordoned: bool = False,
    ready: str = "True",
    **allocatable: str,
) -> Object:
    offered = {"cpu": "8", "memory": "16Gi", "pods": "110"} | {k.replace("gpu", GPU): v for k, v in allocatable.items()}
    return {
        "metadata": {"name": name, "labels": dict(labels or {})},
        "spec": {"taints": list(taints), "unschedulable": cordoned},
        "status": {"allocatable": offered, "conditions": [{"type": "Ready", "status": ready}]},
    }


def pod_asking(uid: str = "u", requests: Mapping[str, str] | None = None, **spec: Any) -> Object:
    pod = make_pod(node=None, **spec)
    pod["metadata"]["uid"] = uid
    pod["spec"]["containers"][0]["resources"] = {"requests": dict(requests or {})}
    return pod


def reasons(pod: Object, *nodes: Object) -> list[str]:
    """Return the reasons of each node; a node that takes the pod is named instead."""
    snapshot = Snapshot()
    for node in nodes:
        snapshot.set_node(node)
    choice = snapshot.choose(pod)
    return (
        [choice] if isinstance(choice, str) else [reason for refusal in choice.elements() for reason in refusal.reasons]
    )


TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("node", "spec", "answer"),
    [
        ({}, {}, "a"),
        ({"cordoned": True}, {}, "node(s) were unschedulable"),
        ({"cordoned": True}, {"tolerations": [{"operator": "Exists"}]}, "a"),
        ({"ready": "False"}, {}, "node(s) had untolerated taint(s)"),
        ({"ready": "Unknown"}, {}, "node(s) had untolerated taint(s)"),
        ({"taints": [TAINT]}, {}, "node(s) had untolerated taint(s)"),
        ({"taints": [TAINT | {"effect": "PreferNoSchedule"}]}, {}, "a"),
        ({"taints": [TAINT]}, {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}, "a"),
        ({"taints": [TAINT]}, {"tolerations": [{"key": "nvidia.com/gpu", "value": "present"}]}, "a"),
        (
            {"taints": [TAINT]},
            {"tolerations": [{"key": "nvidia.com/gpu", "value": "x"}]},
            "node(s) had untolerated taint(s)",
        ),
        (
            {"taints": [TAINT]},
            {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute"}]},
            "node(s) had untolerated taint(s)",
        ),
        ({}, {"nodeSelector": {"zone": "1"}}, "node(s) didn't match Pod's node affinity/selector"),
        ({"labels": {"zone": "1"}}, {"nodeSelector": {"zone": "1"}}, "a"),
        ({"pods": "0"}, {}, "Too many pods"),
    ],
)
def test_filters(node: dict[str, Any], spec: dict[str, Any], answer: str) -> None:
    assert reasons(pod_asking(**spec), make_node(**node)) == [answer]


def rule(key: str, operator: str, *values: str) -> Object:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("rules", "matches"),
    [
        ([rule("gpus", "In", "7", "8")], True),
        ([rule("gpus", "In", "7")], False),
        ([rule("gpus", "NotIn", "7")], True),
        ([rule("none", "NotIn", "7")], True),
        ([rule("gpus", "Exists")], True),
        ([rule("none", "Exists")], False),
        ([rule("none", "DoesNotExist")], True),
        ([rule("gpus", "Gt", "7")], True),
        ([rule("gpus", "Lt", "8")], False),
        ([rule("none", "Gt", "0")], False),
        ([rule("gpus", "Exists"), rule("none", "Exists")], False),
    ],
)
def test_required_affinity(rules: Sequence[Object], matches: bool) -> None:
    required = {"nodeSelectorTerms": [{"matchExpressions": rules}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}

    assert matches_affinity(pod_asking(affinity=affinity), make_node(labels={"gpus": "8"})) is matches


def requiring(*terms: Object) -> Object:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


def pinned_to(*nodes: str) -> Object:
    return requiring(*({"matchFields": [rule("metadata.name", "In", node)]} for node in nodes))


def test_a_daemon_pod_is_looked_at_on_its_own_node_only() -> None:
    pod = pod_asking(affinity=pinned_to("b"))

    assert pinned_nodes(pod) == frozenset({"b"})
    assert reasons(pod, make_node("a"), make_node("b")) == ["b"]
    assert reasons(pod, make_node("a")) == ["node(s) didn't satisfy plugin(s) [NodeAffinity]"]


def test_any_term_that_names_no_node_leaves_all_nodes_open() -> None:
    affinity = pinned_to("b")
    required = affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    required["nodeSelectorTerms"].append({"matchExpressions": [rule("x", "DoesNotExist")]})

    assert pinned_nodes(pod_asking(affinity=affinity)) is None


def test_a_pod_needs_its_sum_or_its_largest_init_container() -> None:
    pod = make_pod(
        init=[
            {"name": "i", "image": "x", "resources": {"requests": {"cpu": "3", "memory": "1Gi"}}},
            {"name": "j", "image": "x", "resources": {"requests": {GPU: "2"}}},
        ]
    )
    pod["spec"]["containers"] = [
        {"name": "c", "resources": {"requests": {"cpu": "500m", "memory": "1Gi", GPU: "1"}}},
        {"name": "d", "resources": {"requests": {"cpu": "1", "memory": "512Mi"}}},
        {"name": "e"},
    ]

    assert pod_requests(pod) == {"cpu": 3, "memory": 1536 * 2**20, GPU: 2}


def test_every_resource_that_is_short_is_named() -> None:
    pod = pod_asking(requests={"cpu": "9", GPU: "1", "memory": "1Gi"})

    assert sorted(reasons(pod, make_node())) == ["Insufficient cpu", f"Insufficient {GPU}"]


def test_what_pods_take_is_not_there_for_others_until_they_go() -> None:
    snapshot = Snapshot()
    snapshot.set_node(make_node(gpu="2"))
    wanted = pod_asking("third", {GPU: "1"})
    for uid in ("first", "second"):
        snapshot.place(pod_asking(uid, {GPU: "1"}), "a")
        snapshot.place(pod_asking(uid, {GPU: "1"}), "a")

    assert snapshot.choose(wanted) == {Refusal((f"Insufficient {GPU}",), helpless=False): 1}
    assert snapshot.free("first")
    assert not snapshot.free("first")
    assert snapshot.choose(wanted) == "a"


def test_pods_count_on_a_node_that_is_seen_later_or_again() -> None:
    snapshot = Snapshot()
    snapshot.place(pod_asking("first", {GPU: "1"}), "a")
    snapshot.set_node(make_node(gpu="1"))
    assert snapshot.choose(pod_asking("second", {GPU: "1"})) != "a"

    snapshot.drop_node("a")
    assert snapshot.choose(pod_asking("second")) == {}

    snapshot.set_node(make_node(gpu="2"))
    assert snapshot.choose(pod_asking("second", {GPU: "1"})) == "a"


def test_the_emptiest_node_is_chosen() -> None:
    snapshot = Snapshot()
    for name in ("a", "b"):
        snapshot.set_node(make_node(name))
    snapshot.place(pod_asking("first"), "a")

    assert snapshot.choose(pod_asking("second")) == "b"


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=20), st.integers(0, 8))
def test_no_more_is_placed_than_there_is(requests: list[tuple[int, bool]], devices: int) -> None:
    snapshot, taken = Snapshot(), {"a": 0, "b": 0}
    for name in taken:
        snapshot.set_node(make_node(name, gpu=str(devices)))
    for number, (count, leaves) in enumerate(requests):
        pod = pod_asking(f"pod-{number}", {GPU: str(count)})
        choice = snapshot.choose(pod)
        if isinstance(choice, str):
            snapshot.place(pod, choice)
            taken[choice] += count
            if leaves:
                snapshot.free(f"pod-{number}")
                taken[choice] -= count
        else:
            assert all(used + count > devices for used in taken.values())

    assert all(used <= devices for used in taken.values())


NAMES = st.sampled_from("abc")
NODES = st.fixed_dictionaries(
    {},
    optional={
        "gpu": st.sampled_from("0123"),
        "cordoned": st.just(True),
        "taints": st.just([TAINT]),
        "labels": st.dictionaries(st.sampled_from(["zone", "other"]), st.sampled_from("xy")),
    },
)
STEPS = st.one_of(
    st.tuples(st.just("node"), NAMES, NODES),
    st.tuples(st.just("drop"), NAMES, st.none()),
    st.tuples(st.just("place"), NAMES, st.sampled_from("uvw")),
    st.tuples(st.just("free"), NAMES, st.sampled_from("uvw")),
)


@given(
    st.lists(STEPS, max_size=30),
    st.sampled_from(
        [
            {},
            {"nodeSelector": {"zone": "x"}},
            {"affinity": requiring({"matchExpressions": [rule("zone", "In", "x")]})},
            {"affinity": pinned_to("a")},
        ]
    ),
)
def test_a_pod_that_is_tried_again_is_told_the_same_as_a_new_one(
    steps: Sequence[tuple[str, str, Any]], spec: Object
) -> None:
    snapshot, again = Snapshot(), pod_asking("again", {GPU: "2"}, **spec)
    for number, (what, name, value) in enumerate(steps):
        match what:
            case "node":
                snapshot.set_node(make_node(name, **value))
            case "drop":
                snapshot.drop_node(name)
            case "place":
                snapshot.place(pod_asking(value, {GPU: "1"}), name)
            case _:
                snapshot.free(value)
        assert snapshot.choose(again) == snapshot.choose(pod_asking(f"new-{number}", {GPU: "2"}, **spec))


@pytest.mark.parametrize(
    ("refusals", "message"),
    [
        ([], "no nodes available to schedule pods"),
        (
            [Refusal((f"Insufficient {GPU}",), helpless=False)] * 2,
            (
                "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: "
                "0/2 nodes are available: 2 No preemption victims found for incoming pod."
            ),
        ),
        (
            [
                Refusal(("Insufficient cpu", "Insufficient memory")),
                Refusal(("Insufficient cpu",), helpless=False),
                Refusal(("node(s) had untolerated taint(s)",)),
            ],
            (
                "0/3 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s), "
                "2 Insufficient cpu. "
                "no new claims to deallocate, preemption: 0/3 nodes are available: 1 No preemption victims found for "
                "incoming pod, 2 Preemption is not helpful for scheduling."
            ),
        ),
    ],
)
def test_the_message_of_a_pod_that_fits_nowhere(refusals: Sequence[Refusal], message: str) -> None:
    assert unschedulable_message(Counter(refusals)) == message
