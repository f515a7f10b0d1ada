"""Lists: selectors, portions and the forms in which they go out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sim.apiserver.stand import Http, pod_body

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture
def six(http: Http, config_maps: str) -> str:
    """Path of six ConfigMaps c0 to c5 with labels `grp`, `even` and `n`."""
    for number in range(6):
        labels = {"grp": "six", "even": str(number % 2 == 0).lower(), "n": str(number)}
        http.post(config_maps, {"metadata": {"name": f"c{number}", "labels": labels}})
    return config_maps


def names(http: Http, path: str, **query: str) -> str:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    found = (item["metadata"]["name"] for item in http.get(f"{path}?{text}").body["items"])
    return " ".join(name for name in found if name != "kube-root-ca.crt")


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("grp=six,even=true", "c0 c2 c4"),
        ("grp==six,even!=true", "c1 c3 c5"),
        ("n in (1,2)", "c1 c2"),
        ("grp,n notin (0,1,2,3)", "c4 c5"),
        ("!grp", ""),
        ("n>3", "c4 c5"),
    ],
)
def test_labels_select(http: Http, six: str, selector: str, found: str) -> None:
    assert names(http, six, labelSelector=selector.replace(" ", "%20").replace(">", "%3E")) == found


def test_unreadable_label_selector_is_refused(http: Http, six: str) -> None:
    assert http.get(f"{six}?labelSelector=a%20b").status == 400


def test_name_selects(http: Http, six: str) -> None:
    assert names(http, six, fieldSelector="metadata.name=c3") == "c3"
    assert names(http, six, fieldSelector="metadata.name!=c3") == "c0 c1 c2 c4 c5"


def test_fields_of_pods_select(http: Http, pods: str) -> None:
    for name, node in (("x", "node-a"), ("y", "node-b")):
        http.post(pods, pod_body(name, nodeName=node))
    assert names(http, pods, fieldSelector="spec.nodeName=node-a") == "x"
    assert names(http, pods, fieldSelector="status.phase=Pending,spec.nodeName!=node-a") == "y"
    assert names(http, pods, fieldSelector="status.phase=Running") == ""


def test_involved_object_selects_events(http: Http, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/events"
    for name in ("e1", "e2"):
        involved = {"kind": "Pod", "name": f"pod-of-{name}", "namespace": namespace}
        http.post(path, {"metadata": {"name": name}, "involvedObject": involved, "reason": "r", "type": "Normal"})
    assert names(http, path, fieldSelector="involvedObject.name=pod-of-e1,type=Normal") == "e1"


def test_field_that_cannot_be_selected_by_is_refused(http: Http, six: str) -> None:
    refused = http.get(f"{six}?fieldSelector=spec.foo%3Dbar")
    only = '"spec.foo" is not a known field selector: only "metadata.name", "metadata.namespace"'
    assert (refused.status, refused.body["message"]) == (400, only)
    refused = http.get("/api/v1/nodes?fieldSelector=spec.foo%3Dbar")
    assert (refused.status, refused.body["message"]) == (400, "field label not supported: spec.foo")


@pytest.mark.parametrize("query", ["resourceVersion=x", "limit=x"])
def test_option_that_is_no_number_is_refused(http: Http, six: str, query: str) -> None:
    assert http.get(f"{six}?{query}").status == 400


def test_match_of_no_version_is_refused(http: Http, six: str) -> None:
    refused = http.get(f"{six}?resourceVersionMatch=NotOlderThan")
    assert (refused.status, refused.body["details"]["causes"][0]["field"]) == (422, "resourceVersionMatch")


def pages(http: Http, path: str, limit: int) -> Iterator[list[str]]:
    token = ""
    while True:
        body = http.get(f"{path}?limit={limit}&labelSelector=grp&continue={token}").body
        yield [item["metadata"]["name"] for item in body["items"]]
        token = body["metadata"].get("continue", "")
        if not token:
            return


def test_portions_follow_one_another(http: Http, six: str) -> None:
    assert list(pages(http, six, 4)) == [["c0", "c1", "c2", "c3"], ["c4", "c5"]]
    assert list(pages(http, six, 5)) == [["c0", "c1", "c2", "c3", "c4"], ["c5"]]


def test_portions_show_one_state(http: Http, six: str) -> None:
    """What changes after the first portion is not seen in the later ones."""
    reading = pages(http, six, 2)
    assert next(reading) == ["c0", "c1"]
    http.delete(f"{six}/c2")
    http.post(six, {"metadata": {"name": "c33", "labels": {"grp": "six"}}})
    assert next(reading) == ["c2", "c3"]


def test_unreadable_token_is_refused(http: Http, six: str) -> None:
    assert http.get(f"{six}?limit=1&continue=nonsense").status == 400


def test_version_from_the_future_is_waited_for_in_vain(http: Http, six: str) -> None:
    refused = http.get(f"{six}?resourceVersion=99999999999")
    assert (refused.status, refused.reason) == (504, "Timeout")


def test_list_at_an_exact_version_shows_the_past(http: Http, six: str) -> None:
    before = http.get(six).body["metadata"]["resourceVersion"]
    http.delete(f"{six}/c0")
    exact = {"resourceVersion": before, "resourceVersionMatch": "Exact", "labelSelector": "grp"}
    assert names(http, six, **exact) == "c0 c1 c2 c3 c4 c5"


def test_table_has_a_row_for_each_object(http: Http, node: str) -> None:
    name = node.rpartition("/")[2]
    table = http.get(f"/api/v1/nodes?fieldSelector=metadata.name%3D{name}", Accept=TABLE).body
    assert table["kind"] == "Table"
    headings = [column["name"] for column in table["columnDefinitions"] if not column["priority"]]
    assert headings == ["Name", "Status", "Roles", "Age", "Version"]
    (row,) = table["rows"]
    assert row["cells"][:3] == [name, "Ready", "<none>"]
    assert row["object"]["kind"] == "PartialObjectMetadata"


def test_metadata_can_be_had_alone(http: Http, six: str) -> None:
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    listed = http.get(f"{six}?labelSelector=grp", Accept=accept).body
    assert listed["kind"] == "PartialObjectMetadataList"
    assert len(listed["items"]) == 6
    assert all("data" not in item for item in listed["items"])


def test_form_that_the_server_cannot_give_is_refused(http: Http, six: str) -> None:
    assert http.get(six, Accept="text/html").status == 406
