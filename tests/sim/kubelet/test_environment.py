"""A container's variables, the GPUs that it sees, and its mounted files."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from conformance.sim.device_manager import Grant
from conformance.sim.kube import Object
from conformance.sim.kubelet.environment import environment, expand, expand_shell, visible_gpus
from conformance.sim.kubelet.volumes import Files, missing_config_map
from conformance.sim.plugin_api import AllocateResponse

POD: Object = {
    "metadata": {"name": "pod", "namespace": "team", "uid": "u", "labels": {"app.kubernetes.io/name": "x"}},
    "spec": {"nodeName": "sim-0"},
    "status": {"podIP": "10.0.0.1", "hostIP": "127.0.0.1"},
}
MAPS = {("team", "settings"): {"data": {"level": "high", "a.yaml": "a: 1"}}}


def find(namespace: str, name: str) -> Object | None:
    return MAPS.get((namespace, name))


def variables(*entries: Mapping[str, Any], answers: Sequence[AllocateResponse] = ()) -> dict[str, str]:
    return environment(POD, {"env": list(entries)}, find, Grant(list(answers)))


def from_field(path: str) -> dict[str, Any]:
    return {"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.nodeName", "sim-0"),
        ("metadata.name", "pod"),
        ("metadata.namespace", "team"),
        ("status.podIP", "10.0.0.1"),
        ("metadata.labels['app.kubernetes.io/name']", "x"),
        ("metadata.annotations['none']", ""),
        ("spec.none.at.all", ""),
    ],
)
def test_the_downward_api(path: str, value: str) -> None:
    assert variables(from_field(path)) == {"X": value}


def test_values_refer_to_those_before_them() -> None:
    assert variables({"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(C) $$(A)"}) == {
        "A": "1",
        "B": "1$(C) $(A)",
    }


def test_values_come_from_config_maps() -> None:
    key = {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}}
    container = {"env": [key], "envFrom": [{"prefix": "S_", "configMapRef": {"name": "settings"}}]}

    assert environment(POD, container, find, Grant()) == {"LEVEL": "high", "S_level": "high", "S_a.yaml": "a: 1"}


def test_the_first_plugin_wins_a_variable_that_two_set() -> None:
    first, second = (AllocateResponse(envs={"NVIDIA_VISIBLE_DEVICES": name}) for name in ("MIG-a", "MIG-b"))

    own = {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}
    assert variables(own, answers=[first, second]) == {"NVIDIA_VISIBLE_DEVICES": "MIG-a"}


@pytest.mark.parametrize(
    "answer", [AllocateResponse(cdi=["nvidia.com/gpu=x"]), AllocateResponse(annotations={"cdi.k8s.io/x": "y"})]
)
def test_devices_named_by_cdi_leave_void_behind(answer: AllocateResponse) -> None:
    assert variables(answers=[answer]) == {"NVIDIA_VISIBLE_DEVICES": "void"}


def test_expansion_of_the_kubelet_and_of_a_shell() -> None:
    assert expand("$(A)-$A-$(B)-$$(A)", {"A": "1"}) == "1-$A-$(B)-$(A)"
    assert expand_shell("$A-${A}-$B-5$", {"A": "1"}) == "1-1--5$"


@pytest.mark.parametrize(
    ("runtime", "privileged", "asked", "granted", "seen"),
    [
        (None, False, None, (), frozenset()),
        (None, False, "all", (), frozenset()),
        ("nvidia", False, None, (), frozenset()),
        ("nvidia", False, "void", (), frozenset()),
        ("nvidia", False, "all", (), None),
        ("nvidia", False, "GPU-a,GPU-b", (), frozenset({"GPU-a", "GPU-b"})),
        (None, True, None, (), None),
        ("nvidia", False, "all", ("MIG-a",), frozenset({"MIG-a"})),
        (None, True, None, ("MIG-a", "MIG-b"), frozenset({"MIG-a", "MIG-b"})),
    ],
)
def test_the_gpus_that_a_container_sees(
    runtime: str | None, privileged: bool, asked: str | None, granted: Sequence[str], seen: frozenset[str] | None
) -> None:
    pod = POD | {"spec": {"runtimeClassName": runtime}}
    container = {"securityContext": {"privileged": privileged}}
    grant = Grant([AllocateResponse(uuids=frozenset({uuid})) for uuid in granted])

    assert visible_gpus(pod, container, {"NVIDIA_VISIBLE_DEVICES": asked} if asked else {}, grant) == seen


def files(host: Mapping[str, str] | None = None) -> Files:
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "chosen", "configMap": {"name": "settings", "items": [{"key": "a.yaml", "path": "sub/b.yaml"}]}},
        {"name": "late", "configMap": {"name": "late", "optional": True}},
        {"name": "host", "hostPath": {"path": "/run/nvidia"}},
        {"name": "own", "emptyDir": {}},
    ]
    mounts = [
        {"name": "settings", "mountPath": "/settings"},
        {"name": "settings", "mountPath": "/settings/deep/one.txt", "subPath": "level"},
        {"name": "chosen", "mountPath": "/chosen"},
        {"name": "late", "mountPath": "/late"},
        {"name": "host", "mountPath": "/host"},
        {"name": "own", "mountPath": "/own"},
        {"name": "no-such-volume", "mountPath": "/nothing"},
    ]
    return Files(POD | {"spec": {"volumes": volumes}}, {"volumeMounts": mounts}, find, {} if host is None else host)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/settings/a.yaml", "a: 1"),
        ("/settings/none", None),
        ("/settings/deep/one.txt", "high"),
        ("/chosen/sub/b.yaml", "a: 1"),
        ("/chosen/a.yaml", None),
        ("/late/a", None),
        ("/host/validations/ready", "yes"),
        ("/own/a", None),
        ("/elsewhere", None),
    ],
)
def test_mounted_files(path: str, content: str | None) -> None:
    assert files({"/run/nvidia/validations/ready": "yes"}).read(path) == content


def test_files_are_read_anew_each_time() -> None:
    host: dict[str, str] = {}
    mounted = files(host)
    assert mounted.read("/host/a") is None

    host["/run/nvidia/a"] = "now"

    assert mounted.read("/host/a") == "now"


def test_the_first_config_map_that_is_missing() -> None:
    def volume(name: str, **more: object) -> Object:
        return {"name": f"v-{name}", "configMap": {"name": name, **more}}

    present, optional = volume("settings"), volume("late", optional=True)

    assert missing_config_map(POD | {"spec": {"volumes": [present, optional]}}, find) is None
    assert missing_config_map(POD | {"spec": {"volumes": [present, volume("late")]}}, find) == ("v-late", "late")
