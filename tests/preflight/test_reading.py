"""Reading a cluster: what comes into the snapshot, what may be denied, and that nothing but reading is asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from conformance.cluster import paths
from conformance.cluster.errors import ApiError, ClusterError, DeniedError
from conformance.cluster.limits import Limits
from conformance.cluster.transport import Transport
from conformance.operations.rights import Level
from conformance.preflight.reading import Wanted, read_snapshot
from conformance.preflight.snapshot import Budget, Refusal
from conformance.preflight.table import find
from tests.cluster.stand import Stand

POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


class Guarded:
    """A server whose answers to some paths are replaced; it notes what was asked."""

    def __init__(self, hand: Transport, answers: dict[str, ApiError]) -> None:
        self.asked: list[str] = []
        self.limits = Limits()
        self._hand = hand
        self._answers = answers

    def time(self) -> datetime:
        return self._hand.time()

    def __getattr__(self, verb: str) -> Any:
        def ask(path: str, *arguments: Any) -> Any:
            self.asked.append(f"{verb} {path}")
            if error := self._answers.get(path):
                raise error
            return getattr(self._hand, verb)(path, *arguments)

        return ask


def denied(path: str) -> DeniedError:
    return DeniedError(path, 403, "Forbidden", f"{path} is forbidden")


def guarded(stand: Stand, *errors: tuple[str, ApiError]) -> Any:
    return Guarded(stand.hand, dict(errors))


@pytest.fixture(autouse=True)
def node(stand: Stand) -> None:
    stand.node("a", {"nvidia.com/mig.capable": "true"}, gpu=8)


def test_a_snapshot_has_what_the_checks_need(stand: Stand) -> None:
    selector = {"matchLabels": {"app": "train"}}
    budget = {"metadata": {"name": "keep"}, "spec": {"selector": selector, "minAvailable": 1}}
    stand.hand.create(paths.namespaces(), {"metadata": {"name": "team"}})
    stand.hand.create("/apis/policy/v1/namespaces/team/poddisruptionbudgets", budget)
    stand.pod("train", namespace="team", limits={"nvidia.com/gpu": "1"})
    stand.daemon_set("nvidia-device-plugin-daemonset", "single")
    seen = read_snapshot(stand.hand)

    assert seen.policy is not None
    assert [node.name for node in seen.mig_nodes] == ["a"]
    assert [pod.view.name for pod in seen.pods] == ["train"]
    assert list(seen.daemon_sets) == ["nvidia-device-plugin-daemonset"]
    assert seen.budgets == (Budget("team", "keep", selector, 0),)
    assert seen.unread == ()


def test_each_collection_is_read_once_however_many_nodes_there_are(stand: Stand) -> None:
    def asked() -> list[str]:
        server = guarded(stand)
        read_snapshot(server)
        return sorted(server.asked)

    few = asked()
    for number in range(30):
        stand.node(f"n{number}", {"nvidia.com/mig.capable": "true"}, gpu=8)

    assert asked() == few
    assert {one.split()[0] for one in few} == {"list"}


def test_what_may_not_be_read_is_named(stand: Stand) -> None:
    path = paths.disruption_budgets()
    seen = read_snapshot(guarded(stand, (path, denied(path))))

    assert seen.unread == (path,)
    assert "unread" in {finding.id for finding in find(seen)}


def test_without_nodes_nothing_can_be_said(stand: Stand) -> None:
    with pytest.raises(DeniedError):
        read_snapshot(guarded(stand, (paths.nodes(), denied(paths.nodes()))))


def test_only_the_named_nodes_are_looked_at(stand: Stand) -> None:
    stand.node("b", {"nvidia.com/mig.capable": "true"}, gpu=8)

    assert [node.name for node in read_snapshot(stand.hand, Wanted(nodes=["b"])).nodes] == ["b"]
    with pytest.raises(ClusterError, match="unknown node c; there are: a, b"):
        read_snapshot(stand.hand, Wanted(nodes=["c"]))


def test_pods_of_the_suite_are_tried_and_not_created(stand: Stand) -> None:
    stand.hand.create(paths.namespaces(), {"metadata": {"name": "mig-conformance"}})
    server = guarded(stand)
    seen = read_snapshot(server, Wanted(pods={"p": POD}))

    assert seen.refusals == ()
    assert f"try_out {paths.pods('mig-conformance')}" in server.asked
    assert seen.pods == read_snapshot(stand.hand).pods == ()


def test_what_admission_rejects_is_told(stand: Stand) -> None:
    """Without the suite's namespace, `default` stands in for it; its Pod Security says nothing of the new one."""
    policy = ApiError("POST", 403, "Forbidden", 'admission webhook "validate.kyverno.svc" denied the request: no')
    levels = ApiError("POST", 403, "Forbidden", 'pods "p" is forbidden: violates PodSecurity "restricted:latest"')
    right = DeniedError("POST", 403, "Forbidden", 'User "me" cannot create resource "pods" in API group ""')
    why = "unable to create new content in namespace mig-conformance because it is being terminated"
    ending = ApiError("POST", 403, "Forbidden", why)
    path = paths.pods("default")

    def refusals(error: ApiError) -> tuple[Refusal, ...]:
        return read_snapshot(guarded(stand, (path, error)), Wanted(pods={"p": POD})).refusals

    assert refusals(policy) == (Refusal("pod p", policy.message),)
    assert refusals(levels) == ()
    assert refusals(right) == ()
    assert refusals(ending) == ()


def test_rights_are_asked_for_the_wanted_levels(stand: Stand) -> None:
    server = guarded(stand)
    seen = read_snapshot(server, Wanted(levels=[Level.READ, Level.EXEC]))

    assert seen.missing == ()
    assert "create /apis/authorization.k8s.io/v1/selfsubjectaccessreviews" in server.asked
