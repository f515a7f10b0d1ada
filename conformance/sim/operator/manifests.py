"""The DaemonSets and ConfigMaps that the operator deploys for a ClusterPolicy: pure functions of its spec.

Source: NVIDIA/gpu-operator v26.7.0, controllers/object_controls.go (the Transform functions) and state_manager.go.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from conformance.sim.operands.config_manager import CONFIG_VOLUME
from conformance.spec.names import (
    CONFIG_KEY,
    DCGM_APP,
    DCGM_EXPORTER_APP,
    DEFAULT_CONFIG_MAP,
    DEVICE_PLUGIN_APP,
    DEVICE_PLUGIN_CONFIG,
    DRIVER_APP,
    FEATURE_DISCOVERY_APP,
    MIG_MANAGER_APP,
    MPS_CONTROL_DAEMON_APP,
    TOOLKIT_APP,
    VALIDATOR_APP,
)
from conformance.spec.package_data import read_yaml
from conformance.spec.releases import at_least
from conformance.spec.static_config import static_text

Manifest = dict[str, Any]

HASH_ANNOTATION: Final = "nvidia.com/last-applied-hash"
"""Annotation with a hash, by which the operator detects that a DaemonSet has to be updated."""

STATES: Final[Mapping[str, tuple[str, str | None]]] = {
    "state-driver": (DRIVER_APP, "driver"),
    "state-container-toolkit": (TOOLKIT_APP, "toolkit"),
    "state-operator-validation": (VALIDATOR_APP, None),
    "state-device-plugin": (DEVICE_PLUGIN_APP, "devicePlugin"),
    "state-mps-control-daemon": (MPS_CONTROL_DAEMON_APP, "devicePlugin"),
    "state-dcgm": (DCGM_APP, "dcgm"),
    "state-dcgm-exporter": (DCGM_EXPORTER_APP, "dcgmExporter"),
    "gpu-feature-discovery": (FEATURE_DISCOVERY_APP, "gfd"),
    "state-mig-manager": (MIG_MANAGER_APP, "migManager"),
}
"""States in the operator's order: the DaemonSet, and the part of the spec that enables it (None for always)."""

_STRATEGY_CONTAINERS: Final = {
    DEVICE_PLUGIN_APP: "nvidia-device-plugin",
    FEATURE_DISCOVERY_APP: "gpu-feature-discovery",
    MPS_CONTROL_DAEMON_APP: "mps-control-daemon-ctr",
}
_CONFIGURED: Final = (DEVICE_PLUGIN_APP, FEATURE_DISCOVERY_APP)
"""The apps that read the file which `devicePlugin.config` and a node label choose."""
_PLUGIN_CONFIG_FILE: Final = "/config/config.yaml"
_CDI_BY_DEFAULT: Final = "v0.18.0"
_CDI: Final = {
    "CDI_ENABLED": "true",
    "DEVICE_LIST_STRATEGY": "cdi-annotations,cdi-cri",
    "CDI_ANNOTATION_PREFIX": "cdi.k8s.io/",
}
_CDI_BEFORE: Final = {
    "CDI_ENABLED": "true",
    "DEVICE_LIST_STRATEGY": "envvar,cdi-annotations",
    "CDI_ANNOTATION_PREFIX": "nvidia.cdi.k8s.io/",
}
"""Variables of the device plugin with CDI, from v25.10.0 and before (controllers/object_controls.go at v25.3.4)."""
_TOLERATION: Final = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
_GENERATES: Final = "v0.14.0"
"""First mig-manager that generates its configuration if no ConfigMap is named."""


def load(name: str) -> Any:
    """Return the content of a data file of this package as a new copy."""
    return copy.deepcopy(_read(name))


def daemon_sets(policy: Manifest, namespace: str) -> dict[str, Manifest]:
    """Return the desired DaemonSets of a ClusterPolicy by state, in the operator's order.

    Disabled operands are left out. Every DaemonSet has an annotation with the hash of its content.
    """
    return {
        state: _daemon_set(name, part, policy, namespace)
        for state, (name, part) in STATES.items()
        if part is None or policy["spec"].get(part, {}).get("enabled", True)
    }


def config_maps(namespace: str) -> list[Manifest]:
    """Return the ConfigMaps that the operator owns."""
    contents = {DEFAULT_CONFIG_MAP: {CONFIG_KEY: _static_text()}, **_read("config-maps.yaml")}
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace},
            "data": dict(data),
        }
        for name, data in contents.items()
    ]


def _daemon_set(name: str, part: str | None, policy: Manifest, namespace: str) -> Manifest:
    spec = policy["spec"]
    wanted: Manifest = load(f"daemonsets/{name}.yaml")
    wanted["metadata"]["namespace"] = namespace
    wanted["metadata"]["ownerReferences"] = [_owner(policy)]
    pod = wanted["spec"]["template"]["spec"]
    for container in [*pod.get("initContainers", ()), *pod["containers"]]:
        container["image"] = _image(container["image"], spec)
        container.setdefault("imagePullPolicy", "IfNotPresent")
    _set_common(wanted, spec.get("daemonsets", {}))
    _set_strategy(name, pod, spec.get("mig", {}).get("strategy", ""))
    if name == MIG_MANAGER_APP:
        _set_mig_manager(pod, spec.get("migManager", {}), cdi=_cdi(spec))
    if name == DEVICE_PLUGIN_APP and _cdi(spec):
        _set_env(pod["containers"][0], **(_CDI if cdi_by_default(spec) else _CDI_BEFORE))
    if name in _CONFIGURED and (config := spec["devicePlugin"].get("config") or {}).get("name"):
        _set_config_manager(pod, spec["devicePlugin"], config)
    if part:
        _set_env(pod["containers"][0], **{item["name"]: item.get("value", "") for item in spec[part].get("env") or ()})
    content = json.dumps(wanted, sort_keys=True).encode()
    wanted["metadata"]["annotations"] = {HASH_ANNOTATION: hashlib.sha256(content).hexdigest()[:10]}
    return wanted


def _set_common(daemon_set: Manifest, common: Mapping[str, Any]) -> None:
    pod = daemon_set["spec"]["template"]["spec"]
    pod["priorityClassName"] = common.get("priorityClassName", "system-node-critical")
    pod["tolerations"] = common.get("tolerations", [_TOLERATION])
    if "updateStrategy" in daemon_set["spec"]:
        return
    strategy: Manifest = {"type": common.get("updateStrategy", "RollingUpdate")}
    if strategy["type"] == "RollingUpdate":
        limit = common.get("rollingUpdate", {}).get("maxUnavailable", "1")
        strategy["rollingUpdate"] = {"maxUnavailable": int(limit) if limit.isdecimal() else limit}
    daemon_set["spec"]["updateStrategy"] = strategy


def _set_strategy(name: str, pod: Manifest, strategy: str) -> None:
    """Set the variables of the MIG strategy; an empty strategy is passed to the validator only."""
    if name == VALIDATOR_APP:
        step = next(step for step in pod["initContainers"] if step["name"] == "plugin-validation")
        _set_env(step, MIG_STRATEGY=strategy)
    if name in _STRATEGY_CONTAINERS:
        container = next(item for item in pod["containers"] if item["name"] == _STRATEGY_CONTAINERS[name])
        if strategy:
            _set_env(container, MIG_STRATEGY=strategy)
        if strategy != "none":
            _set_env(container, NVIDIA_MIG_MONITOR_DEVICES="all")


def _set_mig_manager(pod: Manifest, manager: Mapping[str, Any], *, cdi: bool) -> None:
    custom = manager.get("config", {}).get("name", "")
    volumes = {volume["name"]: volume["configMap"] for volume in pod["volumes"] if "configMap" in volume}
    volumes["gpu-clients"]["name"] = manager.get("gpuClientsConfig", {}).get("name") or "default-gpu-clients"
    volumes["mig-parted-config"]["name"] = custom or DEFAULT_CONFIG_MAP
    container = pod["containers"][0]
    if custom or not at_least(manager["version"], _GENERATES):
        _set_env(container, CONFIG_FILE="/mig-parted-config/config.yaml")
    else:
        volumes["mig-parted-config"]["items"] = [{"key": CONFIG_KEY, "path": "config-default.yaml"}]
        _set_env(container, DEFAULT_CONFIG_FILE="/mig-parted-config/config-default.yaml")
    if cdi:
        _set_env(container, CDI_ENABLED="true")


def _set_config_manager(pod: Manifest, plugin: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Add the pair of containers that choose a file of the ConfigMap by a node label, and let the program read it.

    Source: controllers/object_controls.go, handleDevicePluginConfig.
    """
    program = pod["containers"][0]
    mount = {"name": CONFIG_VOLUME, "mountPath": "/config"}
    env = {
        "NODE_LABEL": DEVICE_PLUGIN_CONFIG,
        "CONFIG_FILE_SRCDIR": "/available-configs",
        "CONFIG_FILE_DST": _PLUGIN_CONFIG_FILE,
        "DEFAULT_CONFIG": config.get("default") or "",
        "FALLBACK_STRATEGIES": "empty",
        "PROCESS_TO_SIGNAL": program["command"][0],
        "SIGNAL": "1",
    }
    node = {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    for name, own in (
        ("config-manager-init", {"ONESHOT": "true", "SEND_SIGNAL": "false"}),
        ("config-manager", {"ONESHOT": "false", "SEND_SIGNAL": "true"}),
    ):
        container: Manifest = {
            "name": name,
            "image": _image("$devicePlugin", {"devicePlugin": plugin}),
            "imagePullPolicy": "IfNotPresent",
            "command": ["config-manager"],
            "env": [node, *({"name": key, "value": value} for key, value in (env | own).items())],
            "volumeMounts": [{"name": "available-configs", "mountPath": "/available-configs"}, mount],
        }
        pod["initContainers" if own["ONESHOT"] == "true" else "containers"].append(container)
    pod["shareProcessNamespace"] = True
    pod["volumes"] += [
        {"name": "available-configs", "configMap": {"name": config["name"]}},
        {"name": CONFIG_VOLUME, "emptyDir": {}},
    ]
    program.setdefault("volumeMounts", []).append(mount)
    _set_env(program, CONFIG_FILE=_PLUGIN_CONFIG_FILE)


def _set_env(container: Manifest, **values: str) -> None:
    """Set environment variables, replacing existing ones in place."""
    env = container.setdefault("env", [])
    for name, value in values.items():
        found = next((item for item in env if item["name"] == name), None)
        if found is None:
            env.append({"name": name, "value": value})
        else:
            found.clear()
            found.update(name=name, value=value)


def _image(reference: str, spec: Mapping[str, Any]) -> str:
    """Resolve `$part` or `$part.sub` to the image `repository/image:version` in the ClusterPolicy."""
    part: Mapping[str, Any] = spec
    for key in reference.removeprefix("$").split("."):
        part = part[key]
    return f"{part['repository']}/{part['image']}:{part['version']}"


def _owner(policy: Manifest) -> Manifest:
    metadata = policy["metadata"]
    return {
        "apiVersion": policy["apiVersion"],
        "kind": policy["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def cdi_by_default(spec: Mapping[str, Any]) -> bool:
    """Return whether the operator enables CDI unless told otherwise, and then uses nothing else.

    True from v25.10.0, the release of device plugin v0.18.0.
    Source: NVIDIA/gpu-operator v25.10.0 and v25.3.4, api/nvidia/v1/clusterpolicy_types.go, CDIConfigSpec.IsEnabled.
    """
    return at_least(spec["devicePlugin"]["version"], _CDI_BY_DEFAULT)


def _cdi(spec: Mapping[str, Any]) -> bool:
    enabled = spec.get("cdi", {}).get("enabled")
    return cdi_by_default(spec) if enabled is None else bool(enabled)


@cache
def _static_text() -> str:
    return static_text()


@cache
def _read(name: str) -> Any:
    return read_yaml(name, __package__)
