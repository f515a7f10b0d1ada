"""The four kinds of patches, on the objects and lists where they differ."""

from __future__ import annotations

from tests.sim.apiserver.stand import Http, pod_body


def labels(http: Http, path: str) -> dict[str, str]:
    found: dict[str, str] = http.get(path).body["metadata"]["labels"]
    return found


def conditions(http: Http, path: str) -> dict[str, str]:
    return {item["type"]: item["status"] for item in http.get(path).body["status"]["conditions"]}


def taints(http: Http, path: str) -> list[str]:
    return [item["key"] for item in http.get(path).body["spec"].get("taints", [])]


def test_merge_patch_sets_and_deletes_keys_with_slashes(http: Http, node: str) -> None:
    http.merge(node, {"metadata": {"labels": {"nvidia.com/mig.config": "all-1g.10gb"}}})
    http.merge(
        node, {"metadata": {"labels": {"nvidia.com/mig.config": None, "nvidia.com/mig.config.state": "pending"}}}
    )
    assert labels(http, node) == {"a": "b", "nvidia.com/mig.config.state": "pending"}


def test_merge_patch_replaces_lists(http: Http, node: str) -> None:
    http.merge(f"{node}/status", {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    assert conditions(http, node) == {"Ready": "False"}


def test_strategic_patch_merges_conditions_by_type(http: Http, node: str) -> None:
    http.strategic(f"{node}/status", {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    assert conditions(http, node) == {"Ready": "False", "DiskPressure": "False"}


def test_strategic_patch_deletes_an_element(http: Http, node: str) -> None:
    http.strategic(f"{node}/status", {"status": {"conditions": [{"$patch": "delete", "type": "DiskPressure"}]}})
    assert conditions(http, node) == {"Ready": "True"}


def test_strategic_patch_replaces_taints_as_one_value(http: Http, node: str) -> None:
    http.strategic(node, {"spec": {"taints": [{"key": key, "effect": "NoSchedule"} for key in ("k1", "k2")]}})
    http.strategic(node, {"spec": {"taints": [{"key": "k2", "effect": "NoSchedule"}]}})
    assert taints(http, node) == ["k2"]
    http.strategic(node, {"spec": {"taints": None}})
    assert taints(http, node) == []


def test_strategic_patch_merges_containers_by_name(http: Http, pods: str) -> None:
    containers = [{"name": "a", "image": "i:1"}, {"name": "b", "image": "i:2"}]
    http.post(pods, pod_body("x", containers=containers))
    http.strategic(f"{pods}/x", {"spec": {"containers": [{"name": "b", "image": "i:3"}]}})
    found = {item["name"]: item["image"] for item in http.get(f"{pods}/x").body["spec"]["containers"]}
    assert found == {"a": "i:1", "b": "i:3"}


def test_strategic_patch_orders_elements_as_told(http: Http, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/daemonsets"
    containers = [{"name": "a", "image": "i:1"}, {"name": "b", "image": "i:2"}]
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}}
    http.post(
        path, {"metadata": {"name": "x"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
    )
    spec = {
        "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}],
        "containers": [{"name": "c", "image": "i:3"}, {"name": "a", "$patch": "delete"}],
    }
    patched = http.strategic(f"{path}/x", {"spec": {"template": {"spec": spec}}}).body
    assert [item["name"] for item in patched["spec"]["template"]["spec"]["containers"]] == ["c", "b"]


def test_strategic_patch_puts_new_elements_first(http: Http, node: str) -> None:
    """So does a real server, unless the patch says how the elements are to be ordered."""
    http.strategic(f"{node}/status", {"status": {"conditions": [{"type": "New", "status": "True"}]}})
    assert list(conditions(http, node)) == ["New", "Ready", "DiskPressure"]


def test_strategic_patch_puts_a_new_element_in_the_place_of_a_deleted_one(http: Http, node: str) -> None:
    """Among the elements that the given order does not name. A real server does so because Go slices share memory."""
    patch = {
        "$setElementOrder/conditions": [{"type": "Ready"}, {"type": "New"}],
        "conditions": [{"$patch": "delete", "type": "B"}, {"type": "New", "status": "True"}],
    }
    conditions_before = [{"type": kind, "status": "True"} for kind in ("Ready", "B", "C")]
    http.merge(f"{node}/status", {"status": {"conditions": conditions_before}})
    http.strategic(f"{node}/status", {"status": patch})
    assert list(conditions(http, node)) == ["Ready", "C", "New"]


def test_strategic_patch_adds_to_sets_and_deletes_from_them(http: Http, config_maps: str) -> None:
    http.post(config_maps, {"metadata": {"name": "x", "finalizers": ["t.example/a"]}})
    http.strategic(f"{config_maps}/x", {"metadata": {"finalizers": ["t.example/b"]}})
    assert http.get(f"{config_maps}/x").body["metadata"]["finalizers"] == ["t.example/b", "t.example/a"]
    removal = {"$deleteFromPrimitiveList/finalizers": ["t.example/a", "t.example/b"]}
    assert "finalizers" not in http.strategic(f"{config_maps}/x", {"metadata": removal}).body["metadata"]


def test_strategic_patch_can_replace_a_whole_map(http: Http, config_maps: str) -> None:
    http.post(config_maps, {"metadata": {"name": "x"}, "data": {"a": "1"}})
    http.strategic(f"{config_maps}/x", {"data": {"$patch": "replace", "b": "2"}})
    assert http.get(f"{config_maps}/x").body["data"] == {"b": "2"}


def test_json_patch_addresses_keys_with_slashes(http: Http, node: str) -> None:
    key = "/metadata/labels/nvidia.com~1mig.config"
    http.json_patch(node, [{"op": "add", "path": key, "value": "all-disabled"}])
    http.json_patch(node, [{"op": "replace", "path": key, "value": "all-1g.10gb"}])
    assert labels(http, node)["nvidia.com/mig.config"] == "all-1g.10gb"
    http.json_patch(node, [{"op": "remove", "path": key}])
    assert labels(http, node) == {"a": "b"}


def test_json_patch_with_a_failing_test_changes_nothing(http: Http, node: str) -> None:
    operations = [
        {"op": "replace", "path": "/metadata/labels/a", "value": "c"},
        {"op": "test", "path": "/metadata/labels/a", "value": "something else"},
    ]
    assert http.json_patch(node, operations).status == 422
    assert labels(http, node) == {"a": "b"}


def test_json_patch_for_an_absent_field_is_refused(http: Http, node: str) -> None:
    assert http.json_patch(node, [{"op": "remove", "path": "/metadata/labels/nope"}]).status == 422


def test_unknown_kind_of_patch_is_refused(http: Http, node: str) -> None:
    assert http.call("PATCH", node, {"metadata": {}}, "application/foo").status == 415


def test_patch_that_is_no_json_is_refused(http: Http, node: str) -> None:
    assert http.call("PATCH", node, b"{", "application/merge-patch+json").status == 400


def test_patch_of_an_absent_object_is_refused(http: Http, config_maps: str) -> None:
    assert http.merge(f"{config_maps}/nope", {"data": {}}).status == 404


class TestStatus:
    def test_status_path_changes_the_status(self, http: Http, node: str) -> None:
        http.strategic(f"{node}/status", {"status": {"capacity": {"nvidia.com/mig-1g.10gb": "7"}}})
        capacity = http.get(node).body["status"]["capacity"]
        assert capacity == {"cpu": "8", "nvidia.com/gpu": "8", "nvidia.com/mig-1g.10gb": "7"}

    def test_status_path_leaves_the_spec_alone(self, http: Http, node: str) -> None:
        http.strategic(f"{node}/status", {"spec": {"unschedulable": True}})
        assert "unschedulable" not in http.get(node).body["spec"]

    def test_main_path_leaves_the_status_alone(self, http: Http, node: str) -> None:
        http.strategic(node, {"status": {"capacity": {"cpu": "99"}}})
        assert http.get(node).body["status"]["capacity"]["cpu"] == "8"

    def test_status_of_a_new_pod_is_the_servers(self, http: Http, pods: str) -> None:
        created = http.post(pods, {**pod_body("x"), "status": {"phase": "Running"}}).body
        assert created["status"]["phase"] == "Pending"

    def test_pod_status_can_be_replaced(self, http: Http, pods: str) -> None:
        created = http.post(pods, pod_body("x", nodeSelector={"no-such": "node"})).body
        running = {**created, "status": {"phase": "Running"}, "spec": {**created["spec"], "nodeName": "elsewhere"}}
        del running["metadata"]["resourceVersion"]
        assert http.put(f"{pods}/x/status", running).status == 200
        found = http.get(f"{pods}/x").body
        assert found["status"]["phase"] == "Running"
        assert "nodeName" not in found["spec"]


class TestServerSideApply:
    def test_apply_creates_and_remembers_the_manager(self, http: Http, config_maps: str) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}}
        assert http.apply(f"{config_maps}/x", body, "one").status == 201
        (entry,) = http.get(f"{config_maps}/x").body["metadata"]["managedFields"]
        assert (entry["manager"], entry["operation"]) == ("one", "Apply")
        assert entry["fieldsV1"]["f:data"] == {"f:a": {}}

    def test_replacement_without_owners_keeps_them(self, http: Http, config_maps: str) -> None:
        """Controllers replace objects by what they make of them anew, and know of no owners."""
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1", "b": "1"}}
        http.apply(f"{config_maps}/x", body, "one")
        assert http.put(f"{config_maps}/x", {**body, "data": {"a": "1", "b": "2"}}).status == 200
        owners = {entry["manager"]: entry for entry in http.get(f"{config_maps}/x").body["metadata"]["managedFields"]}
        assert owners["one"]["fieldsV1"]["f:data"] == {"f:a": {}}
        assert {"f:b": {}} in [entry["fieldsV1"].get("f:data") for name, entry in owners.items() if name != "one"]

    def test_field_that_a_manager_no_longer_wants_goes(self, http: Http, config_maps: str) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}}
        http.apply(f"{config_maps}/x", body, "one")
        http.apply(f"{config_maps}/x", {**body, "data": {"b": "2"}}, "one")
        assert http.get(f"{config_maps}/x").body["data"] == {"b": "2"}

    def test_field_of_another_manager_is_a_conflict_unless_forced(self, http: Http, config_maps: str) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}}
        http.apply(f"{config_maps}/x", body, "one")
        other = {**body, "data": {"a": "2"}}
        refused = http.apply(f"{config_maps}/x", other, "two")
        assert (refused.status, refused.reason) == (409, "Conflict")
        assert 'conflict with "one": .data.a' in refused.body["message"]
        assert http.get(f"{config_maps}/x").body["data"] == {"a": "1"}
        assert http.apply(f"{config_maps}/x", other, "two", force=True).body["data"] == {"a": "2"}

    def test_field_of_the_same_value_has_two_owners(self, http: Http, config_maps: str) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
        http.apply(f"{config_maps}/x", {**body, "data": {"a": "1", "b": "1"}}, "one")
        http.apply(f"{config_maps}/x", {**body, "data": {"a": "2", "b": "1"}}, "two", force=True)
        http.apply(f"{config_maps}/x", body, "two")
        assert http.get(f"{config_maps}/x").body["data"] == {"b": "1"}

    def test_managers_share_an_object_with_fields_of_their_own(self, http: Http, config_maps: str) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
        http.apply(f"{config_maps}/x", {**body, "data": {"a": "1"}}, "one")
        http.apply(f"{config_maps}/x", {**body, "data": {"b": "2"}}, "two")
        http.apply(f"{config_maps}/x", {**body, "data": {}}, "one")
        assert http.get(f"{config_maps}/x").body["data"] == {"b": "2"}

    def test_field_that_an_update_takes_over_is_its_own(self, http: Http, config_maps: str) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}}
        http.apply(f"{config_maps}/x", body, "one")
        http.merge(f"{config_maps}/x?fieldManager=editor", {"data": {"a": "2"}})
        refused = http.apply(f"{config_maps}/x", body, "one")
        assert refused.status == 409
        assert 'conflict with "editor"' in refused.body["message"]

    def test_apply_needs_a_manager(self, http: Http, config_maps: str) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
        refused = http.call("PATCH", f"{config_maps}/x", body, "application/apply-patch+yaml")
        assert refused.status == 422

    def test_containers_are_merged_by_name(self, http: Http, namespace: str) -> None:
        path = f"/apis/apps/v1/namespaces/{namespace}/daemonsets/x"
        body = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "x"}}
        selector = {"matchLabels": {"a": "b"}}

        def spec(container: dict[str, object]) -> dict[str, object]:
            pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", **container}]}}
            return {"selector": selector, "template": pod}

        assert http.apply(path, {**body, "spec": spec({"image": "i:1"})}, "one").status == 201
        env = [{"name": "V", "value": "1"}]
        assert http.apply(path, {**body, "spec": spec({"env": env})}, "two").status == 200
        (container,) = http.get(path).body["spec"]["template"]["spec"]["containers"]
        assert (container["image"], container["env"]) == ("i:1", env)


def test_patch_that_is_no_object_is_a_bad_request(http: Http, node: str) -> None:
    assert http.merge(node, []).status == 400
    assert http.strategic(node, []).status == 400
