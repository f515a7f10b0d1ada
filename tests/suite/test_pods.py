"""The pods that the suite starts: what their manifests say, and how they are filled in."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import pytest
import yaml

from conformance.spec.names import RUNTIME_CLASS
from conformance.suite.options import DEFAULT_IMAGE
from conformance.suite.pods import FOLDER, make_pod

PODS = {
    file.name.removesuffix(".yaml"): file.read_text(encoding="utf-8")
    for file in (resources.files("conformance.suite") / FOLDER).iterdir()
}
OF_THE_SUITE = ("bystander", "gpu-holder", "gpu-observer", "slice-tester", "slice-user")
ON_THE_HOST = ("host-command", "kubelet-restart")
"""The pods with privileges: one needs --allow-reboot, the other a simulated cluster."""
ABSENCES = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}


def pod(stem: str) -> Any:
    return yaml.safe_load(PODS[stem])


def containers(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def test_there_are_no_other_files() -> None:
    assert sorted(PODS) == sorted((*OF_THE_SUITE, *ON_THE_HOST))


@pytest.mark.parametrize("stem", [*OF_THE_SUITE, *ON_THE_HOST])
def test_a_file_begins_with_what_it_is_for(stem: str) -> None:
    assert PODS[stem].startswith("# ")
    assert (pod(stem)["kind"], pod(stem)["metadata"]["name"]) == ("Pod", stem)


@pytest.mark.parametrize("stem", OF_THE_SUITE)
def test_pods_have_no_privilege_and_end_by_themselves(stem: str) -> None:
    spec = pod(stem)["spec"]

    assert spec["restartPolicy"] == ("Always" if stem == "bystander" else "Never")
    assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName", "nodeName"} & spec.keys()
    assert not [volume for volume in spec.get("volumes", ()) if "hostPath" in volume]
    assert not [container for container in containers(pod(stem)) if container.get("ports")]


@pytest.mark.parametrize("stem", OF_THE_SUITE)
def test_pods_of_the_suite_meet_the_restricted_standard(stem: str) -> None:
    """Source: Kubernetes v1.36, Pod Security Standards, profile Restricted."""
    for container in containers(pod(stem)):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert not security.get("privileged")
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["runAsNonRoot"] is True
        assert security["seccompProfile"]["type"] == "RuntimeDefault"
        assert container["image"] == DEFAULT_IMAGE


@pytest.mark.parametrize("stem", OF_THE_SUITE)
def test_pods_of_the_suite_tolerate_what_gpu_nodes_carry(stem: str) -> None:
    tolerated = {toleration["key"] for toleration in pod(stem)["spec"]["tolerations"]}

    absences = ABSENCES if stem == "bystander" else set()
    assert tolerated == {"nvidia.com/gpu", "node.kubernetes.io/unschedulable"} | absences


@pytest.mark.parametrize("stem", ON_THE_HOST)
def test_a_pod_on_the_host_runs_one_command_there_and_never_again(stem: str) -> None:
    filled = make_pod(stem, name="x", node="a", run="r1", image="mine", command=["chroot", "/host", "reboot"])
    (container,) = containers(filled)

    assert filled["spec"]["restartPolicy"] == "Never"
    assert container["command"] == ["chroot", "/host", "reboot"]
    assert container["securityContext"] == {"privileged": True}
    assert [volume["hostPath"]["path"] for volume in filled["spec"]["volumes"]] == ["/"]


def test_only_the_observer_sees_gpus_without_asking_for_one() -> None:
    observer = pod("gpu-observer")
    others = [pod(stem) for stem in ("bystander", "gpu-holder", "slice-user")]

    assert observer["spec"]["runtimeClassName"] == RUNTIME_CLASS
    assert all("resources" not in container for container in containers(observer))
    assert not [each for each in others if "runtimeClassName" in each["spec"]]
    assert "NVIDIA_VISIBLE_DEVICES" not in str(others)


@pytest.mark.parametrize("stem", OF_THE_SUITE)
def test_a_pod_is_filled_in_for_a_node_without_touching_the_manifest(stem: str) -> None:
    before = make_pod(stem, name="x", node="a", run="r1", image="mine")
    filled = make_pod(stem, name="y", node="b", run="r2", image="yours", resources={"nvidia.com/gpu": 1})
    again = make_pod(stem, name="x", node="a", run="r1", image="mine")

    assert before == again
    assert filled["metadata"] == {"name": "y", "labels": {"mig-conformance/run": "r2"}}
    assert {container["image"] for container in containers(filled)} == {"yours"}
    assert all(container["resources"] == {"limits": {"nvidia.com/gpu": "1"}} for container in containers(filled))
    assert all("resources" not in container for container in containers(before))
