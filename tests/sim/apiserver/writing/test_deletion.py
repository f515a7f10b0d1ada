"""Deletion: preconditions, grace, finalizers, dependents and whole namespaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.sim.apiserver.stand import Http, pod_body

Eventually = Callable[[Callable[[], bool]], None]


def owned_by(owner: dict[str, Any], name: str, **reference: object) -> dict[str, Any]:
    meta = owner["metadata"]
    entry = {"apiVersion": "v1", "kind": "ConfigMap", "name": meta["name"], "uid": meta["uid"], **reference}
    return {"metadata": {"name": name, "ownerReferences": [entry]}}


def test_deletion_of_another_object_is_refused(http: Http, config_maps: str) -> None:
    http.post(config_maps, {"metadata": {"name": "x"}})
    other = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
    assert http.delete(f"{config_maps}/x", other).status == 409
    assert http.delete(f"{config_maps}/x", {"preconditions": {"resourceVersion": "1"}}).status == 409
    assert http.get(f"{config_maps}/x").status == 200


def test_deletion_is_answered_by_a_status(http: Http, config_maps: str) -> None:
    uid = http.post(config_maps, {"metadata": {"name": "x"}}).body["metadata"]["uid"]
    answer = http.delete(f"{config_maps}/x").body
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    assert answer["details"] == {"name": "x", "kind": "configmaps", "uid": uid}


def test_finalizer_keeps_an_object_until_it_is_removed(http: Http, config_maps: str) -> None:
    http.post(config_maps, {"metadata": {"name": "x", "finalizers": ["t.example/keep"]}})
    http.delete(f"{config_maps}/x")
    kept = http.get(f"{config_maps}/x").body["metadata"]
    assert kept["deletionTimestamp"]
    assert http.merge(f"{config_maps}/x", {"metadata": {"finalizers": ["t.example/keep", "t.example/b"]}}).status == 422
    http.merge(f"{config_maps}/x", {"metadata": {"finalizers": None}})
    assert http.get(f"{config_maps}/x").status == 404


class TestGrace:
    def test_pod_without_a_node_goes_at_once(self, http: Http, pods: str) -> None:
        http.post(pods, pod_body("x", nodeSelector={"no-such": "node"}))
        assert http.delete(f"{pods}/x").body["kind"] == "Pod"
        assert http.get(f"{pods}/x").status == 404

    def test_pod_on_a_node_waits_for_its_kubelet(self, http: Http, pods: str, node: str) -> None:
        name = node.rpartition("/")[2]
        http.post(pods, pod_body("x", nodeName=name, terminationGracePeriodSeconds=7))
        deleted = http.delete(f"{pods}/x").body["metadata"]
        assert (deleted["deletionGracePeriodSeconds"], deleted["generation"]) == (7, 2)
        assert http.get(f"{pods}/x").body["metadata"]["deletionTimestamp"] == deleted["deletionTimestamp"]

        again = http.delete(f"{pods}/x?gracePeriodSeconds=30").body["metadata"]
        assert again["deletionGracePeriodSeconds"] == 7, "a grace is never made longer"

        http.delete(f"{pods}/x?gracePeriodSeconds=0")
        assert http.get(f"{pods}/x").status == 404

    def test_finished_pod_goes_at_once(self, http: Http, pods: str, node: str) -> None:
        http.post(pods, pod_body("x", nodeName=node.rpartition("/")[2]))
        http.merge(f"{pods}/x/status", {"status": {"phase": "Succeeded"}})
        http.delete(f"{pods}/x")
        assert http.get(f"{pods}/x").status == 404


class TestDependents:
    @pytest.mark.parametrize("policy", ["Background", "Foreground"])
    def test_they_go_with_their_owner(self, http: Http, config_maps: str, eventually: Eventually, policy: str) -> None:
        owner = http.post(config_maps, {"metadata": {"name": "owner"}}).body
        middle = http.post(config_maps, owned_by(owner, "middle", blockOwnerDeletion=True)).body
        http.post(config_maps, owned_by(middle, "leaf", blockOwnerDeletion=True))
        http.delete(f"{config_maps}/owner", {"propagationPolicy": policy})
        paths = [f"{config_maps}/{name}" for name in ("leaf", "middle", "owner")]
        eventually(lambda: all(http.get(path).status == 404 for path in paths))

    def test_they_stay_as_orphans(self, http: Http, config_maps: str, eventually: Eventually) -> None:
        owner = http.post(config_maps, {"metadata": {"name": "owner"}}).body
        http.post(config_maps, owned_by(owner, "child"))
        http.delete(f"{config_maps}/owner", {"propagationPolicy": "Orphan"})
        eventually(lambda: http.get(f"{config_maps}/owner").status == 404)
        assert "ownerReferences" not in http.get(f"{config_maps}/child").body["metadata"]

    def test_one_of_two_owners_is_enough_to_stay(self, http: Http, config_maps: str, eventually: Eventually) -> None:
        first, second = (http.post(config_maps, {"metadata": {"name": name}}).body for name in ("first", "second"))
        references = [owned_by(owner, "x")["metadata"]["ownerReferences"][0] for owner in (first, second)]
        http.post(config_maps, {"metadata": {"name": "child", "ownerReferences": references}})
        http.delete(f"{config_maps}/first")

        def left() -> list[str]:
            owners = http.get(f"{config_maps}/child").body["metadata"]["ownerReferences"]
            return [owner["name"] for owner in owners]

        eventually(lambda: left() == ["second"])

    def test_object_of_an_owner_that_never_was_goes(self, http: Http, config_maps: str, eventually: Eventually) -> None:
        nobody = {"metadata": {"name": "nobody", "uid": "5f0c1cc6-9a08-4c05-8f6b-3a1d7f1f2f3e"}}
        http.post(config_maps, owned_by(nobody, "child"))
        eventually(lambda: http.get(f"{config_maps}/child").status == 404)


class TestNamespaces:
    def test_new_one_has_an_account_and_the_root_certificate(
        self, http: Http, namespace: str, eventually: Eventually
    ) -> None:
        path = f"/api/v1/namespaces/{namespace}"
        eventually(lambda: http.get(f"{path}/serviceaccounts/default").status == 200)
        eventually(lambda: http.get(f"{path}/configmaps/kube-root-ca.crt").status == 200)
        labels = http.get(path).body["metadata"]["labels"]
        assert labels == {"kubernetes.io/metadata.name": namespace}

    def test_content_goes_before_the_namespace(self, http: Http, namespace: str, eventually: Eventually) -> None:
        path = f"/api/v1/namespaces/{namespace}"
        keep = {"metadata": {"name": "x", "finalizers": ["t.example/keep"]}}
        http.post(f"{path}/configmaps", keep)
        deleted = http.delete(path).body
        assert (deleted["kind"], deleted["status"]["phase"]) == ("Namespace", "Terminating")
        eventually(lambda: "deletionTimestamp" in http.get(f"{path}/configmaps/x").body["metadata"])
        refused = http.post(f"{path}/configmaps", {"metadata": {"name": "late"}})
        assert (refused.status, refused.reason) == (403, "Forbidden")
        http.merge(f"{path}/configmaps/x", {"metadata": {"finalizers": None}})
        eventually(lambda: http.get(path).status == 404)
