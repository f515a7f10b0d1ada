"""What a user may not do: the answers are those of RBAC, and reviews and `kubectl auth can-i` agree with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.apiserver.stand import Answer, Http, serving

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Alice:
    """A user that may not list or patch nodes, nor read logs, and the administrator's view of her."""

    def __init__(self, http: Http, token: str) -> None:
        self.http = http
        self._token = token

    def call(self, method: str, path: str, body: object = None) -> Answer:
        return self.http.call(method, path, body, Authorization=f"Bearer {self._token}")

    def may(self, **attributes: str) -> bool:
        answer = self.call("POST", REVIEW, {"spec": {"resourceAttributes": attributes}})
        return bool(answer.body["status"]["allowed"])


@pytest.fixture
def alice(tmp_path: Path) -> Iterator[Alice]:
    with serving(tmp_path) as server:
        token = server.new_token("alice")
        server.deny("alice", "list", "nodes")
        server.deny("alice", "patch", "nodes")
        server.deny("alice", "get", "pods/log")
        server.deny("alice", "create", "leases", "coordination.k8s.io")
        yield Alice(Http(server.kubeconfig), token)


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        (
            "GET",
            "/api/v1/nodes",
            'nodes is forbidden: User "alice" cannot list resource "nodes" in API group "" at the cluster scope',
        ),
        (
            "PATCH",
            "/api/v1/nodes/a",
            'nodes "a" is forbidden: User "alice" cannot patch resource "nodes" in API group "" at the cluster scope',
        ),
        (
            "GET",
            "/api/v1/namespaces/default/pods/p/log",
            (
                'pods "p" is forbidden: User "alice" cannot get resource "pods/log" in API group "" in the namespace '
                '"default"'
            ),
        ),
        (
            "POST",
            "/apis/coordination.k8s.io/v1/namespaces/default/leases",
            (
                'leases.coordination.k8s.io is forbidden: User "alice" cannot create resource "leases" in API group '
                '"coordination.k8s.io" in the namespace "default"'
            ),
        ),
    ],
)
def test_a_denied_request_is_answered_as_rbac_does(alice: Alice, method: str, path: str, message: str) -> None:
    """Messages as kube-apiserver v1.36 gives them."""
    answer = alice.call(method, path, {"metadata": {"name": "a"}})

    assert (answer.status, answer.reason, answer.body["message"]) == (403, "Forbidden", message)


def test_what_was_not_taken_is_allowed(alice: Alice) -> None:
    assert alice.call("GET", "/api/v1/nodes/a").status == 404
    assert alice.call("GET", "/api/v1/pods").status == 200
    assert alice.http.get("/api/v1/nodes").status == 200


def test_reviews_agree(alice: Alice) -> None:
    assert not alice.may(verb="patch", resource="nodes")
    assert alice.may(verb="get", resource="nodes")
    assert not alice.may(verb="get", resource="pods", subresource="log", namespace="default")
    assert alice.may(verb="get", resource="pods", namespace="default")
    assert not alice.may(verb="create", resource="leases", group="coordination.k8s.io")
