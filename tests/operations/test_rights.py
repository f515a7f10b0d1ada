"""The rights of the table are asked for before a run begins, and what is missing is named in one line."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cluster.errors import ApiError, ClusterError
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.rights import RIGHTS, Level, Place, check_rights

PLACES = {
    Place.CLUSTER: "",
    Place.OPERATOR: "gpu-operator",
    Place.OWN: "mig-conformance",
    Place.PUBLISHED: "gpu-operator",
}


class Reviewer:
    """A server that answers access reviews, and denies some rights."""

    def __init__(self, *denied: tuple[str, str], refuses: int = 0) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self._denied = denied
        self._refuses = refuses

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        if self._refuses:
            raise ApiError(f"POST {path}", self._refuses, "", "no")
        one = body["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (one["resource"], one["subresource"])))
        self.asked.append((one["verb"], resource, one.get("namespace", "")))
        return {"status": {"allowed": (one["verb"], resource) not in self._denied}}


def check(reviewer: Any, *levels: Level) -> None:
    check_rights(reviewer, [one for one in RIGHTS if one.level in levels], PLACES)


def test_only_the_rights_of_the_levels_are_asked_for() -> None:
    reviewer = Reviewer(("create", "pods"), ("patch", "clusterpolicies"))
    check(reviewer, Level.READ)

    assert {verb for verb, _, _ in reviewer.asked} == {"get", "list", "watch"}
    assert ("list", "daemonsets", "gpu-operator") in reviewer.asked
    assert ("watch", "nodes", "") in reviewer.asked


def test_a_run_does_without_optional_rights() -> None:
    reviewer = Reviewer(("list", "events"))
    check(reviewer, Level.READ)

    assert not [resource for _, resource, _ in reviewer.asked if resource in ("events", "namespaces")]


def test_what_is_missing_is_named_in_one_line() -> None:
    reviewer = Reviewer(("create", "pods"), ("delete", "pods"), ("patch", "clusterpolicies"))

    with pytest.raises(ClusterError) as raised:
        check(reviewer, *Level)
    assert str(raised.value) == (
        "these credentials lack rights: "
        "delete pods in namespace gpu-operator (--allow-disruptive needs it); "
        "create, delete pods in namespace mig-conformance (--allow-disruptive needs it); "
        "patch clusterpolicies.nvidia.com (--allow-cluster-wide needs it). Nothing was changed"
    )


def test_a_verdict_that_may_not_be_published_is_told_with_its_option() -> None:
    reviewer = Reviewer(("patch", "nodes"), ("create", "events"))

    with pytest.raises(ClusterError) as raised:
        check(reviewer, Level.READ, Level.PUBLISH)
    assert str(raised.value) == (
        "these credentials lack rights: patch nodes (--publish needs it); "
        "create events in namespace gpu-operator (--publish needs it). Nothing was changed"
    )


def test_who_may_not_ask_is_not_refused() -> None:
    check(Reviewer(refuses=403), *Level)


def test_credentials_that_are_not_accepted_are_told() -> None:
    with pytest.raises(ApiError):
        check(Reviewer(refuses=401), Level.READ)


def test_the_embedded_server_answers(cluster: MigCluster) -> None:
    check(cluster.transport, *Level)
