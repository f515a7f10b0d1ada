"""CustomResourceDefinitions and the objects that they define."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pytest
from kubernetes import client

from tests.sim.apiserver.stand import Http, names_of

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 7},
        "strategy": {"type": "string", "enum": ["single", "mixed"], "default": "single"},
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
        "ports": {
            "type": "array",
            "maxItems": 2,
            "items": {"type": "object", "properties": {"n": {"type": "integer"}}},
        },
        "limits": {"type": "object", "additionalProperties": {"x-kubernetes-int-or-string": True}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "nothing": {"type": "string", "nullable": True},
    },
}


@dataclass(frozen=True)
class Widgets:
    """A custom resource of the test's own."""

    group: str
    path: str
    definition: dict[str, Any]

    def body(self, name: str, /, **spec: object) -> dict[str, Any]:
        head = {"apiVersion": f"{self.group}/v1", "kind": "Widget", "metadata": {"name": name}}
        return {**head, "spec": {"size": 1, **spec}}


@contextmanager
def defined(http: Http, eventually: Callable[[Callable[[], bool]], None]) -> Iterator[dict[str, Any]]:
    """Define widgets in a group of their own, and yield the definition as the server has it."""
    group = f"t{uuid.uuid4().hex[:8]}.example.com"
    schema = {
        "type": "object",
        "properties": {"spec": SPEC, "status": {"type": "object", "properties": {"state": {"type": "string"}}}},
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": [
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        ],
        "selectableFields": [{"jsonPath": ".spec.strategy"}],
    }
    names = {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    path = f"{DEFINITIONS}/widgets.{group}"
    assert http.post(DEFINITIONS, {"metadata": {"name": f"widgets.{group}"}, "spec": spec}).status == 201
    eventually(lambda: http.get(f"/apis/{group}/v1/widgets").status == 200)
    yield http.get(path).body
    http.delete(path)


@pytest.fixture(scope="session")
def definition(http: Http, eventually: Callable[[Callable[[], bool]], None]) -> Iterator[dict[str, Any]]:
    """The same for all tests, since a real server lets the first object of a new kind wait for two seconds."""
    with defined(http, eventually) as definition:
        yield definition


@pytest.fixture
def widgets(definition: dict[str, Any], namespace: str) -> Widgets:
    return widgets_of(definition, namespace)


def widgets_of(definition: dict[str, Any], namespace: str) -> Widgets:
    group = definition["spec"]["group"]
    return Widgets(group, f"/apis/{group}/v1/namespaces/{namespace}/widgets", definition)


def test_definition_becomes_established(widgets: Widgets) -> None:
    conditions = {item["type"]: item["status"] for item in widgets.definition["status"]["conditions"]}
    assert conditions["NamesAccepted"] == conditions["Established"] == "True"
    assert widgets.definition["status"]["storedVersions"] == ["v1"]
    names = widgets.definition["status"]["acceptedNames"]
    assert (names["singular"], names["listKind"]) == ("widget", "WidgetList")


def test_group_is_discovered(http: Http, widgets: Widgets) -> None:
    assert widgets.group in [group["name"] for group in http.get("/apis").body["groups"]]
    listed = {item["name"]: item for item in http.get(f"/apis/{widgets.group}/v1").body["resources"]}
    assert (listed["widgets"]["kind"], listed["widgets"]["shortNames"]) == ("Widget", ["wd"])
    assert "widgets/status" in listed


def test_objects_live_like_built_in_ones(api: client.ApiClient, widgets: Widgets, namespace: str) -> None:
    custom: Any = client.CustomObjectsApi(api)  # its answers are objects to the type checker, but JSON
    where = (widgets.group, "v1", namespace, "widgets")
    created = custom.create_namespaced_custom_object(*where, widgets.body("x"))
    assert created["metadata"]["generation"] == 1
    patched = custom.patch_namespaced_custom_object(*where, "x", {"spec": {"size": 2}})
    assert (patched["spec"]["size"], patched["metadata"]["generation"]) == (2, 2)
    assert custom.list_namespaced_custom_object(*where)["kind"] == "WidgetList"
    custom.delete_namespaced_custom_object(*where, "x")
    assert custom.list_namespaced_custom_object(*where)["items"] == []


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"size": "x"}, "spec.size"),
        ({"size": None}, "spec.size"),
        ({"size": 8}, "spec.size"),
        ({"strategy": "none"}, "spec.strategy"),
        ({"name": "A"}, "spec.name"),
        ({"name": "toolong"}, "spec.name"),
        ({"ports": [{"n": 1}, {"n": "x"}]}, "spec.ports[1].n"),
        ({"ports": [{}, {}, {}]}, "spec.ports"),
        ({"limits": {"a": True}}, "spec.limits.a"),
    ],
)
def test_object_that_breaks_its_schema_is_refused(
    http: Http, widgets: Widgets, spec: dict[str, object], field: str
) -> None:
    refused = http.post(widgets.path, widgets.body("x", **spec))
    assert (refused.status, refused.reason) == (422, "Invalid")
    assert field in [cause["field"] for cause in refused.body["details"]["causes"]]
    assert http.get(f"{widgets.path}/x").status == 404


def test_defaults_come_and_unknown_fields_go(http: Http, widgets: Widgets) -> None:
    given = {"bogus": 1, "free": {"any": {"thing": 1}}, "limits": {"a": 1, "b": "x"}, "nothing": None}
    spec = http.post(widgets.path, widgets.body("x", **given)).body["spec"]
    assert spec == {
        "size": 1,
        "strategy": "single",
        "free": {"any": {"thing": 1}},
        "limits": {"a": 1, "b": "x"},
        "nothing": None,
    }


def test_status_has_a_path_of_its_own(http: Http, widgets: Widgets) -> None:
    created = http.post(widgets.path, {**widgets.body("x"), "status": {"state": "early"}}).body
    assert "status" not in created
    both = {"status": {"state": "ready"}, "spec": {"size": 5}, "metadata": {"labels": {"a": "b"}}}
    http.merge(f"{widgets.path}/x/status", both)
    http.merge(f"{widgets.path}/x", {"status": {"state": "hacked"}})
    found = http.get(f"{widgets.path}/x").body
    assert found["status"] == {"state": "ready"}
    assert found["spec"]["size"] == 1
    assert "labels" not in found["metadata"]
    assert found["metadata"]["generation"] == 1


def test_strategic_patch_is_not_for_custom_resources(http: Http, widgets: Widgets) -> None:
    http.post(widgets.path, widgets.body("x"))
    assert http.strategic(f"{widgets.path}/x", {"spec": {"size": 2}}).status == 415


def test_replacement_must_name_the_version_that_it_replaces(http: Http, widgets: Widgets) -> None:
    http.post(widgets.path, widgets.body("x"))
    assert http.put(f"{widgets.path}/x", widgets.body("x", size=2)).status == 422


def test_changes_are_watched(http: Http, widgets: Widgets) -> None:
    start = http.get(widgets.path).body["metadata"]["resourceVersion"]
    with http.watching(widgets.path, resourceVersion=start) as events:
        http.post(widgets.path, widgets.body("x"))
        http.merge(f"{widgets.path}/x", {"spec": {"size": 2}})
        assert names_of(list(islice(events, 2))) == [("ADDED", "x"), ("MODIFIED", "x")]


def test_printer_columns_make_the_table(http: Http, widgets: Widgets) -> None:
    http.post(widgets.path, widgets.body("x", size=3))
    table = http.get(widgets.path, Accept="application/json;as=Table;v=v1;g=meta.k8s.io").body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size", "Age"]
    assert table["rows"][0]["cells"][:2] == ["x", 3]


def test_selectable_field_selects(http: Http, widgets: Widgets) -> None:
    http.post(widgets.path, widgets.body("x", strategy="single"))
    http.post(widgets.path, widgets.body("y", strategy="mixed"))
    found = http.get(f"{widgets.path}?fieldSelector=spec.strategy%3Dmixed").body["items"]
    assert [item["metadata"]["name"] for item in found] == ["y"]


def test_objects_go_with_their_definition(
    http: Http, namespace: str, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    with defined(http, eventually) as definition:
        widgets = widgets_of(definition, namespace)
        assert http.post(widgets.path, widgets.body("x")).status == 201
    eventually(lambda: http.get(widgets.path).status == 404)


def test_definition_that_breaks_a_rule_is_refused(http: Http, widgets: Widgets) -> None:
    spec = widgets.definition["spec"]
    assert http.post(DEFINITIONS, {"metadata": {"name": "misnamed.example.com"}, "spec": spec}).status == 422
    bare = {**spec["versions"][0], "schema": None}
    unshaped = {**spec, "group": "other.example.com", "versions": [bare]}
    assert http.post(DEFINITIONS, {"metadata": {"name": "widgets.other.example.com"}, "spec": unshaped}).status == 422
