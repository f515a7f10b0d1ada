"""What the server refuses, and with which code: 400 for what cannot be read, 422 for what breaks a rule."""

from __future__ import annotations

import pytest

from tests.sim.apiserver.stand import Http, pod_body

PROFILE = "nvidia.com/mig-1g.10gb"


def gpu_pod(name: str, **resources: object) -> dict[str, object]:
    return pod_body(name, containers=[{"name": "c", "image": "i", "resources": resources}])


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"name": "Bad_Name"}, id="name"),
        pytest.param({"name": "x", "labels": {"a": "not valid!"}}, id="label value"),
        pytest.param({"name": "x", "labels": {"a b": "c"}}, id="label key"),
        pytest.param({"name": "x", "labels": {"a": "b" * 64}}, id="long label value"),
        pytest.param({"name": "x", "annotations": {"a b": "c"}}, id="annotation key"),
        pytest.param({}, id="no name"),
    ],
)
def test_metadata_that_breaks_a_rule_is_refused(http: Http, config_maps: str, metadata: dict[str, object]) -> None:
    refused = http.post(config_maps, {"metadata": metadata})
    assert (refused.status, refused.reason) == (422, "Invalid")
    assert refused.body["details"]["causes"][0]["field"].startswith("metadata.")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"containers": []}, "spec.containers"),
        ({"containers": [{"name": "c", "image": "i"}, {"name": "c", "image": "i"}]}, "spec.containers[1].name"),
        ({"containers": [{"name": "C!", "image": "i"}]}, "spec.containers[0].name"),
        ({"containers": [{"name": "c"}]}, "spec.containers[0].image"),
        ({"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Sometimes"}, "spec.restartPolicy"),
        (
            {"containers": [{"name": "c", "image": "i"}], "volumes": [{"name": "v"}, {"name": "v"}]},
            "spec.volumes[1].name",
        ),
        (
            {"containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]},
            "spec.containers[0].volumeMounts[0].name",
        ),
    ],
)
def test_pod_that_breaks_a_rule_is_refused(http: Http, pods: str, spec: dict[str, object], field: str) -> None:
    refused = http.post(pods, {"metadata": {"name": "x"}, "spec": spec})
    assert refused.status == 422
    assert field in [cause["field"] for cause in refused.body["details"]["causes"]]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"spec": {"containers": "x"}}, id="text for a list"),
        pytest.param({"spec": {"containers": [{"name": 1, "image": "i"}]}}, id="number for a text"),
        pytest.param({"kind": "ConfigMap"}, id="another kind"),
        pytest.param({"apiVersion": "v2"}, id="another version"),
        pytest.param({"metadata": {"name": "x", "namespace": "elsewhere"}}, id="another namespace"),
        pytest.param({"spec": {"containers": [], "terminationGracePeriodSeconds": "x"}}, id="text for a number"),
    ],
)
def test_body_of_a_wrong_type_cannot_be_read(http: Http, pods: str, body: dict[str, object]) -> None:
    refused = http.post(pods, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **body})
    assert (refused.status, refused.reason) == (400, "BadRequest")


def test_body_that_is_no_json_cannot_be_read(http: Http, pods: str) -> None:
    assert http.call("POST", pods, b"{").status == 400


def test_body_of_an_unknown_format_is_refused(http: Http, pods: str) -> None:
    assert http.call("POST", pods, b"<a/>", "application/xml").status == 415


def test_yaml_is_read(http: Http, config_maps: str) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: 'true'}\n"
    assert http.call("POST", config_maps, body, "application/yaml").body["data"] == {"a": "true"}


class TestExtendedResources:
    @pytest.mark.parametrize(
        "resources",
        [
            pytest.param({"requests": {PROFILE: "1"}}, id="request without limit"),
            pytest.param({"requests": {PROFILE: "1"}, "limits": {PROFILE: "2"}}, id="request is not the limit"),
            pytest.param({"limits": {PROFILE: "500m"}}, id="fraction"),
            pytest.param({"limits": {PROFILE: "-1"}}, id="negative"),
            pytest.param({"limits": {"unheard-of": "1"}}, id="unknown resource without a domain"),
        ],
    )
    def test_amounts_that_break_a_rule_are_refused(
        self, http: Http, pods: str, resources: dict[str, dict[str, str]]
    ) -> None:
        assert http.post(pods, gpu_pod("x", **resources)).status == 422

    def test_amount_that_is_no_quantity_cannot_be_read(self, http: Http, pods: str) -> None:
        assert http.post(pods, gpu_pod("x", limits={PROFILE: "one"})).status == 400

    def test_limit_is_the_request_too(self, http: Http, pods: str) -> None:
        created = http.post(pods, gpu_pod("x", limits={PROFILE: "1"})).body
        assert created["spec"]["containers"][0]["resources"]["requests"] == {PROFILE: "1"}

    def test_number_is_a_quantity(self, http: Http, pods: str) -> None:
        created = http.post(pods, gpu_pod("x", limits={PROFILE: 2, "cpu": "1500m", "memory": "2048Mi"})).body
        limits = created["spec"]["containers"][0]["resources"]["limits"]
        assert limits == {PROFILE: "2", "cpu": "1500m", "memory": "2Gi"}

    def test_resources_of_a_pod_cannot_change(self, http: Http, pods: str) -> None:
        http.post(pods, gpu_pod("x", limits={PROFILE: "1"}))
        amounts = {"limits": {PROFILE: "2"}, "requests": {PROFILE: "2"}}
        refused = http.strategic(f"{pods}/x", {"spec": {"containers": [{"name": "c", "resources": amounts}]}})
        assert refused.status == 422


def test_patch_that_leaves_a_wrong_type_breaks_a_rule(http: Http, node: str) -> None:
    """Unlike a body of a wrong type, which cannot be read."""
    for patched in (http.merge, http.strategic):
        refused = patched(node, {"metadata": {"labels": {"a": 1}}})
        assert (refused.status, refused.reason) == (422, "Invalid")


def test_effect_of_a_taint_is_one_of_three(http: Http, node: str) -> None:
    refused = http.merge(node, {"spec": {"taints": [{"key": "k", "effect": "Nope"}]}})
    assert refused.status == 422
    assert 'supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"' in refused.body["message"]


def test_micro_time_has_six_digits(http: Http, namespace: str) -> None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"

    def renewed(at: str) -> int:
        return http.put(f"{path}/x", {"metadata": {"name": "x"}, "spec": {"renewTime": at}}).status

    assert renewed("2026-11-24T00:00:00Z") == 400
    assert renewed("2026-11-24T00:00:00.000000Z") == 201, "the update of an absent lease creates it"
    assert http.get(f"{path}/x").body["spec"] == {"renewTime": "2026-11-24T00:00:00.000000Z"}


class TestUnknownFields:
    def test_they_are_dropped_with_a_warning(self, http: Http, config_maps: str) -> None:
        created = http.post(config_maps, {"metadata": {"name": "x"}, "bogus": 1})
        assert created.status == 201
        assert "bogus" not in created.body
        assert 'unknown field \\"bogus\\"' in created.headers["Warning"]

    def test_they_are_refused_on_request(self, http: Http, config_maps: str) -> None:
        refused = http.post(f"{config_maps}?fieldValidation=Strict", {"metadata": {"name": "x"}, "dataa": {}})
        assert refused.status == 400
        assert 'unknown field "dataa"' in refused.body["message"]
        assert http.get(f"{config_maps}/x").status == 404


class TestDefaults:
    def test_pod_gets_the_defaults_of_its_kind(self, http: Http, pods: str) -> None:
        spec = http.post(pods, pod_body("x")).body["spec"]
        assert spec["restartPolicy"] == "Always"
        assert spec["terminationGracePeriodSeconds"] == 30
        assert spec["schedulerName"] == "default-scheduler"
        assert spec["containers"][0]["imagePullPolicy"] == "IfNotPresent"
        assert {item["key"] for item in spec["tolerations"]} == {
            "node.kubernetes.io/not-ready",
            "node.kubernetes.io/unreachable",
        }

    @pytest.mark.parametrize(
        ("strategy", "stored"),
        [
            ({}, {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}),
            ({"type": "OnDelete"}, {"type": "OnDelete"}),
            (
                {"rollingUpdate": {"maxUnavailable": "10%"}},
                {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%", "maxSurge": 0}},
            ),
        ],
    )
    def test_daemon_set_rolls_one_node_at_a_time(
        self, http: Http, namespace: str, strategy: dict[str, object], stored: dict[str, object]
    ) -> None:
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template, "updateStrategy": strategy}
        body = {"metadata": {"name": "x"}, "spec": spec}
        created = http.post(f"/apis/apps/v1/namespaces/{namespace}/daemonsets?dryRun=All", body).body
        assert created["spec"]["updateStrategy"] == stored

    def test_volume_without_a_source_is_empty(self, http: Http, pods: str) -> None:
        assert http.post(pods, pod_body("x", volumes=[{"name": "v"}])).body["spec"]["volumes"] == [
            {"name": "v", "emptyDir": {}}
        ]

    @pytest.mark.parametrize(
        ("resources", "quality"),
        [
            ({}, "BestEffort"),
            ({"requests": {"cpu": "1"}}, "Burstable"),
            ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ],
    )
    def test_quality_of_service_follows_from_resources(
        self, http: Http, pods: str, resources: dict[str, object], quality: str
    ) -> None:
        assert http.post(pods, gpu_pod("x", **resources)).body["status"]["qosClass"] == quality

    def test_node_can_allocate_what_it_has(self, http: Http, node: str) -> None:
        status = http.get(node).body["status"]
        assert status["allocatable"] == status["capacity"]


def test_selector_of_a_daemon_set_must_match_its_template(http: Http, namespace: str) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "c"}}, "template": template}
    refused = http.post(f"/apis/apps/v1/namespaces/{namespace}/daemonsets", {"metadata": {"name": "x"}, "spec": spec})
    assert refused.status == 422


def test_unknown_paths_are_not_found(http: Http, namespace: str) -> None:
    paths = ("/api/v1/nothings", "/apis/no.such.group/v1/things", f"/api/v1/namespaces/{namespace}/nodes", "/nope")
    assert [http.get(path).status for path in paths] == [404] * len(paths)


def test_verb_that_a_path_does_not_have_is_refused(http: Http, config_maps: str, node: str) -> None:
    assert http.post(f"{config_maps}/x", {}).status == 405
    assert http.delete(f"{node}/status").status == 405


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"data": {"k": "other"}}, "data"),
        ({"data": {"k": None}}, "data"),
        ({"binaryData": {"b": "AA=="}}, "binaryData"),
        ({"immutable": False}, "immutable"),
        ({"immutable": None}, "immutable"),
    ],
    ids=["other value", "no value", "binary data", "mutable", "unset"],
)
def test_an_immutable_config_map_stays_as_it_is(
    http: Http, config_maps: str, change: dict[str, object], field: str
) -> None:
    http.post(config_maps, {"metadata": {"name": "x"}, "data": {"k": "v"}, "immutable": True})

    refused = http.merge(f"{config_maps}/x", change)

    assert (refused.status, refused.reason) == (422, "Invalid")
    (cause,) = refused.body["details"]["causes"]
    assert (cause["field"], cause["reason"]) == (field, "FieldValueForbidden")
    assert cause["message"] == "Forbidden: field is immutable when `immutable` is set"


def test_labels_of_an_immutable_config_map_may_change_and_it_may_be_deleted(http: Http, config_maps: str) -> None:
    http.post(config_maps, {"metadata": {"name": "x"}, "data": {"k": "v"}, "immutable": True})

    assert http.merge(f"{config_maps}/x", {"metadata": {"labels": {"a": "b"}}}).status == 200
    assert http.delete(f"{config_maps}/x").status == 200
