"""The commands of kubectl that the suite's users type."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.sim.apiserver.stand import Http, pod_body

Kubectl = Callable[..., str]


def manifest(name: str, **data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


@pytest.fixture
def name(node: str) -> str:
    return node.rpartition("/")[2]


def test_get_prints_columns(kubectl: Kubectl, name: str) -> None:
    heading, row = kubectl("get", "node", name).splitlines()
    assert heading.split() == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert row.split()[:3] == [name, "Ready", "<none>"]
    assert kubectl("get", "node", name, "-o", "jsonpath={.status.capacity.cpu}") == "8"
    assert "INTERNAL-IP" in kubectl("get", "node", name, "-o", "wide")


def test_describe_tells_about_a_node(kubectl: Kubectl, name: str) -> None:
    text = kubectl("describe", "node", name)
    assert "nvidia.com/gpu" in text
    assert "DiskPressure" in text


def test_label_sets_and_removes(http: Http, kubectl: Kubectl, node: str, name: str) -> None:
    kubectl("label", "node", name, "nvidia.com/mig.config=all-1g.10gb", "--overwrite")
    assert http.get(node).body["metadata"]["labels"]["nvidia.com/mig.config"] == "all-1g.10gb"
    kubectl("label", "node", name, "nvidia.com/mig.config-")
    assert "nvidia.com/mig.config" not in http.get(node).body["metadata"]["labels"]


@pytest.mark.parametrize("options", [(), ("--server-side",), ("--validate=false",)])
def test_apply_creates_and_changes(
    http: Http, kubectl: Kubectl, config_maps: str, namespace: str, options: tuple[str, ...]
) -> None:
    for data in ({"a": "1"}, {"b": "2"}):
        kubectl("apply", "-n", namespace, *options, "-f", "-", stdin=manifest("x", **data))
        assert http.get(f"{config_maps}/x").body["data"] == data


def test_apply_merges_containers_of_a_daemon_set(http: Http, kubectl: Kubectl, namespace: str) -> None:
    """kubectl works out a strategic patch from the merge keys of the server's OpenAPI document."""

    def text(image: str, **container: object) -> str:
        pod = {"nodeSelector": {"no-such": "node"}, "containers": [{"name": "c", "image": image, **container}]}
        template = {"metadata": {"labels": {"a": "b"}}, "spec": pod}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        return json.dumps({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "x"}, "spec": spec})

    kubectl("apply", "-n", namespace, "-f", "-", stdin=text("i:1", env=[{"name": "A", "value": "1"}]))
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text("i:2", env=[{"name": "B", "value": "2"}]))
    found = http.get(f"/apis/apps/v1/namespaces/{namespace}/daemonsets/x").body
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["env"]) == ("i:2", [{"name": "B", "value": "2"}])


def test_apply_refuses_unknown_fields(kubectl: Kubectl, namespace: str) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "dataa": {}})
    assert 'unknown field "dataa"' in kubectl("apply", "-n", namespace, "-f", "-", stdin=text, succeeds=False)


def test_patch_changes(http: Http, kubectl: Kubectl, node: str, name: str) -> None:
    kubectl("patch", "node", name, "--type=json", "-p", '[{"op": "add", "path": "/metadata/labels/b", "value": "c"}]')
    assert http.get(node).body["metadata"]["labels"] == {"a": "b", "b": "c"}


def test_wait_sees_a_condition(kubectl: Kubectl, name: str) -> None:
    assert "condition met" in kubectl("wait", "--for=condition=Ready", f"node/{name}", "--timeout=5s")
    label = "--for=jsonpath={.metadata.labels.a}=b"
    assert "condition met" in kubectl("wait", label, f"node/{name}", "--timeout=5s")


def test_cordon_and_uncordon(http: Http, kubectl: Kubectl, node: str, name: str) -> None:
    kubectl("cordon", name)
    assert http.get(node).body["spec"]["unschedulable"] is True
    assert "SchedulingDisabled" in kubectl("get", "node", name)
    kubectl("uncordon", name)
    assert "unschedulable" not in http.get(node).body["spec"]


def test_drain_evicts_pods(http: Http, kubectl: Kubectl, pods: str, name: str) -> None:
    http.post(pods, pod_body("x", nodeName=name))
    kubectl("drain", name, "--force", "--ignore-daemonsets", "--grace-period=0", "--timeout=10s")
    assert http.get(f"{pods}/x").status == 404


def test_create_and_delete(http: Http, kubectl: Kubectl, config_maps: str, namespace: str) -> None:
    kubectl("create", "configmap", "x", "-n", namespace, "--from-literal=a=b")
    assert http.get(f"{config_maps}/x").body["data"] == {"a": "b"}
    kubectl("delete", "configmap", "x", "-n", namespace, "--timeout=10s")
    assert http.get(f"{config_maps}/x").status == 404


def test_get_watches(http: Http, kubectl: Kubectl, config_maps: str, namespace: str) -> None:
    """kubectl ends by itself when its request has lasted for a second."""
    http.post(config_maps, {"metadata": {"name": "x"}})
    shown = kubectl("get", "configmap", "-n", namespace, "-w", "--request-timeout=1s", "-o", "name")
    assert "configmap/x" in shown


def test_access_can_be_asked_for(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "delete", "nodes").strip() == "yes"


def test_all_rights_can_be_listed(kubectl: Kubectl) -> None:
    assert ["*.*", "[]", "[]", "[*]"] in [line.split() for line in kubectl("auth", "can-i", "--list").splitlines()]


@pytest.mark.parametrize(("option", "spec"), [("1", 1), ("50%", "50%")])
def test_drain_waits_for_a_disruption_budget(
    http: Http, kubectl: Kubectl, pods: str, namespace: str, name: str, option: str, spec: object
) -> None:
    http.post(pods, {**pod_body("x", nodeName=name), "metadata": {"name": "x", "labels": {"app": "x"}}})
    http.strategic(
        f"{pods}/x/status", {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    )
    kubectl("create", "pdb", "b", "-n", namespace, f"--min-available={option}", "--selector=app=x")
    found = http.get(f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/b").body["spec"]
    refused = kubectl("drain", name, "--force", "--ignore-daemonsets", "--timeout=1s", succeeds=False)

    assert found == {"minAvailable": spec, "selector": {"matchLabels": {"app": "x"}}}
    assert "Cannot evict pod as it would violate the pod's disruption budget" in refused
    assert http.get(f"{pods}/x").status == 200


def test_custom_columns_and_explanations(kubectl: Kubectl) -> None:
    assert "effect" in kubectl("explain", "pod.spec.tolerations")
    assert "daemonsets" in kubectl("api-resources", "--api-group=apps", "-o", "name")
