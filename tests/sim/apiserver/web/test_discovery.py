"""What clients ask a server first: its health, its version and what it serves."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubernetes import client

from tests.sim.apiserver.stand import Http
from tests.sim.official import dynamic_client

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health_is_ok(http: Http, path: str) -> None:
    assert (http.get(path).status, http.get(path).body) == (200, b"ok")
    assert f"{path[1:]} check passed" in http.get(f"{path}?verbose").body.decode()


def test_version_can_be_read(api: client.ApiClient) -> None:
    version = client.VersionApi(api).get_code()
    assert version.git_version.startswith(f"v{version.major}.{version.minor}.")


def test_core_group_is_named_without_a_slash(http: Http) -> None:
    assert http.get("/api").body["versions"] == ["v1"]
    assert http.get("/api/v1").body["groupVersion"] == "v1"


@pytest.mark.parametrize(
    ("path", "name", "kind", "namespaced"),
    [
        ("/api/v1", "nodes", "Node", False),
        ("/api/v1", "pods", "Pod", True),
        ("/api/v1", "pods/exec", "PodExecOptions", True),
        ("/api/v1", "pods/eviction", "Eviction", True),
        ("/apis/apps/v1", "daemonsets", "DaemonSet", True),
        ("/apis/coordination.k8s.io/v1", "leases", "Lease", True),
        ("/apis/node.k8s.io/v1", "runtimeclasses", "RuntimeClass", False),
    ],
)
def test_resources_are_listed(http: Http, path: str, name: str, kind: str, *, namespaced: bool) -> None:
    listed = {item["name"]: item for item in http.get(path).body["resources"]}
    assert (listed[name]["kind"], listed[name]["namespaced"]) == (kind, namespaced)


def test_aggregated_discovery_tells_the_same(http: Http) -> None:
    found = http.get("/apis", Accept=AGGREGATED)
    assert "as=APIGroupDiscoveryList" in found.headers["Content-Type"]
    groups = {item["metadata"]["name"] for item in found.body["items"]}
    assert groups == {item["name"] for item in http.get("/apis").body["groups"]}
    (core,) = http.get("/api", Accept=AGGREGATED).body["items"]
    (version,) = core["versions"]
    pods = next(item for item in version["resources"] if item["resource"] == "pods")
    assert pods["responseKind"]["kind"] == "Pod"
    assert {"log", "exec", "eviction", "binding"} <= {item["subresource"] for item in pods["subresources"]}


def test_openapi_says_how_to_patch(http: Http) -> None:
    """kubectl leaves validation to a server whose PATCH operations take `fieldValidation`."""
    documents = http.get("/openapi/v3").body["paths"]
    document = http.get(documents["api/v1"]["serverRelativeURL"]).body
    patch = document["paths"]["/api/v1/namespaces/{namespace}/configmaps/{name}"]["patch"]
    assert "application/strategic-merge-patch+json" in patch["requestBody"]["content"]
    assert "fieldValidation" in [item["name"] for item in patch["parameters"]]


def test_dynamic_client_finds_its_way(api: client.ApiClient, tmp_path: Path) -> None:
    nodes = dynamic_client(api, tmp_path / "cache").resources.get(api_version="v1", kind="Node")
    assert (nodes.name, nodes.namespaced) == ("nodes", False)


def test_unknown_token_is_refused(http: Http) -> None:
    assert http.call("GET", "/api/v1/nodes", Authorization="Bearer wrong").status == 401


def test_administrator_may_do_everything(api: client.ApiClient) -> None:
    attributes = client.V1ResourceAttributes(verb="delete", resource="nodes")
    asked = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes))
    review = client.AuthorizationV1Api(api).create_self_subject_access_review(asked)
    assert review.status is not None
    assert review.status.allowed


def test_token_of_a_service_account_is_accepted(http: Http, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    http.post(path, {"metadata": {"name": "x"}})
    token = http.post(f"{path}/x/token", {"spec": {"expirationSeconds": 600}}).body["status"]["token"]
    review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    found = http.call("POST", review, {}, Authorization=f"Bearer {token}").body["status"]["userInfo"]
    assert found["username"] == f"system:serviceaccount:{namespace}:x"
