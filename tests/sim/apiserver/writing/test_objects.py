"""Creating, reading, replacing and deleting objects, as every resource has it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client

from tests.sim.apiserver.stand import Http

BODIES: dict[str, dict[str, Any]] = {
    "configmaps": {"data": {"config.yaml": "version: v1"}},
    "pods": {"spec": {"containers": [{"name": "c", "image": "i"}], "schedulerName": "nobody"}},
    "events": {"involvedObject": {"kind": "Pod", "name": "p"}, "reason": "X", "message": "hi", "type": "Normal"},
    "serviceaccounts": {},
    "secrets": {"stringData": {"key": "text"}},
}


@pytest.mark.parametrize("plural", BODIES)
def test_object_lives_from_creation_to_deletion(
    http: Http, namespace: str, plural: str, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    path = f"/api/v1/namespaces/{namespace}/{plural}"
    body = BODIES[plural]
    if plural == "events":
        body = {**body, "involvedObject": {"kind": "Pod", "name": "p", "namespace": namespace}}
    created = http.post(path, {"metadata": {"name": "x"}, **body})
    assert created.status == 201
    meta = created.body["metadata"]
    assert meta["uid"]
    assert meta["creationTimestamp"].endswith("Z")
    assert meta["namespace"] == namespace

    assert http.get(f"{path}/x").body == created.body
    listed = http.get(path).body
    assert meta["uid"] in [item["metadata"]["uid"] for item in listed["items"]]
    assert int(listed["metadata"]["resourceVersion"]) >= int(meta["resourceVersion"])

    labelled = {**created.body, "metadata": {**meta, "labels": {"put": "1"}}}
    replaced = http.put(f"{path}/x", labelled)
    assert replaced.status == 200
    assert replaced.body["metadata"]["labels"] == {"put": "1"}
    assert replaced.body["metadata"]["uid"] == meta["uid"]

    assert http.delete(f"{path}/x?gracePeriodSeconds=0").status == 200
    eventually(lambda: http.get(f"{path}/x").status == 404)


def test_type_of_an_object_is_filled_in(http: Http, config_maps: str) -> None:
    created = http.post(config_maps, {"metadata": {"name": "x"}})
    assert (created.body["apiVersion"], created.body["kind"]) == ("v1", "ConfigMap")


def test_second_creation_is_a_conflict(http: Http, config_maps: str) -> None:
    http.post(config_maps, {"metadata": {"name": "x"}})
    refused = http.post(config_maps, {"metadata": {"name": "x"}})
    assert (refused.status, refused.reason) == (409, "AlreadyExists")
    assert refused.body["message"] == 'configmaps "x" already exists'


def test_absent_object_is_named_in_the_refusal(http: Http, config_maps: str) -> None:
    refused = http.get(f"{config_maps}/nope")
    assert (refused.status, refused.reason) == (404, "NotFound")
    assert refused.body["message"] == 'configmaps "nope" not found'
    assert refused.body["details"] == {"name": "nope", "kind": "configmaps"}


def test_generated_name_starts_with_its_prefix(http: Http, config_maps: str) -> None:
    names = {http.post(config_maps, {"metadata": {"generateName": "g-"}}).body["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("g-") and len(name) == len("g-") + 5 for name in names)


def test_dry_run_stores_nothing(http: Http, config_maps: str) -> None:
    assert http.post(f"{config_maps}?dryRun=All", {"metadata": {"name": "x"}}).status == 201
    assert http.get(f"{config_maps}/x").status == 404


def test_object_needs_an_existing_namespace(http: Http) -> None:
    refused = http.post("/api/v1/namespaces/nowhere/configmaps", {"metadata": {"name": "x"}})
    assert (refused.status, refused.body["message"]) == (404, 'namespaces "nowhere" not found')


def test_collection_is_deleted_by_selector(http: Http, config_maps: str) -> None:
    for name, labels in (("a", {"go": "1"}), ("b", {"go": "1"}), ("c", {})):
        http.post(config_maps, {"metadata": {"name": name, "labels": labels}})
    assert http.delete(f"{config_maps}?labelSelector=go%3D1").status == 200
    left = {item["metadata"]["name"] for item in http.get(config_maps).body["items"]}
    assert left & {"a", "b", "c"} == {"c"}


def test_update_based_on_an_outdated_version_is_a_conflict(http: Http, config_maps: str) -> None:
    first = http.post(config_maps, {"metadata": {"name": "x"}, "data": {"a": "1"}}).body
    assert http.put(f"{config_maps}/x", {**first, "data": {"a": "2"}}).status == 200
    refused = http.put(f"{config_maps}/x", {**first, "data": {"a": "3"}})
    assert (refused.status, refused.reason) == (409, "Conflict")
    outdated = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}, "data": {"a": "4"}}
    assert http.merge(f"{config_maps}/x", outdated).status == 409
    assert http.get(f"{config_maps}/x").body["data"] == {"a": "2"}


def test_change_that_changes_nothing_makes_no_version(http: Http, config_maps: str) -> None:
    first = http.post(config_maps, {"metadata": {"name": "x", "labels": {"a": "b"}}}).body
    again = http.merge(f"{config_maps}/x", {"metadata": {"labels": {"a": "b"}}}).body
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert http.put(f"{config_maps}/x", first).body == first


def test_empty_fields_are_left_out(http: Http, config_maps: str, node: str) -> None:
    created = http.post(config_maps, {"metadata": {"name": "x", "labels": {}, "finalizers": []}, "data": {}}).body
    assert created.keys() == {"apiVersion", "kind", "metadata"}
    assert created["metadata"].keys() & {"labels", "finalizers"} == set()
    assert "unschedulable" not in http.merge(node, {"spec": {"unschedulable": False}}).body["spec"]


def test_generation_counts_changes_of_the_spec_only(http: Http, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/daemonsets"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    body = {"metadata": {"name": "x"}, "spec": spec}
    assert http.post(path, body).body["metadata"]["generation"] == 1
    assert http.merge(f"{path}/x", {"metadata": {"labels": {"l": "1"}}}).body["metadata"]["generation"] == 1
    longer = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 3}}}}
    assert http.merge(f"{path}/x", longer).body["metadata"]["generation"] == 2


def test_status_of_a_new_daemon_set_counts_from_zero(http: Http, namespace: str) -> None:
    """The official client cannot read a DaemonSet without the counters."""
    path = f"/apis/apps/v1/namespaces/{namespace}/daemonsets"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    body = {"metadata": {"name": "x"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
    status = http.post(path, body).body["status"]
    counters = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
    assert {name: status[name] for name in counters} == dict.fromkeys(counters, 0)


def test_eight_writers_that_retry_conflicts_lose_no_update(http: Http, config_maps: str) -> None:
    http.post(config_maps, {"metadata": {"name": "counter"}, "data": {"n": "0"}})

    def count() -> None:
        for _ in range(5):
            while True:
                counter = http.get(f"{config_maps}/counter").body
                counter["data"]["n"] = str(int(counter["data"]["n"]) + 1)
                if http.put(f"{config_maps}/counter", counter).status == 200:
                    break

    writers = [threading.Thread(target=count) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert http.get(f"{config_maps}/counter").body["data"] == {"n": "40"}


def test_official_client_reads_what_it_wrote(core: client.CoreV1Api, namespace: str) -> None:
    spec = client.V1PodSpec(containers=[client.V1Container(name="c", image="i:1")], scheduler_name="nobody")
    pod = client.V1Pod(metadata=client.V1ObjectMeta(name="x"), spec=spec)
    written = core.create_namespaced_pod(namespace, pod)
    assert core.read_namespaced_pod("x", namespace).to_dict() == written.to_dict()
