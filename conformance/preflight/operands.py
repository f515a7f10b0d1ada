"""Checks of the operands: is each of them on every node under test, does it run, and is it the declared version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from conformance.expect.versions import COMPONENTS, ComponentImages, differences, read_declarations
from conformance.preflight.cluster_policy import enabled
from conformance.preflight.finding import Seen
from conformance.preflight.requirements import CHANGES, DEVICES
from conformance.preflight.snapshot import SeenNode, SeenPod, Snapshot
from conformance.spec.names import (
    DCGM_APP,
    DCGM_EXPORTER_APP,
    DEPLOY_PREFIX,
    DEVICE_PLUGIN_APP,
    DRIVER_APP,
    FEATURE_DISCOVERY_APP,
    GPU_PRODUCT,
    MIG_CONFIG,
    MIG_MANAGER_APP,
    PAUSED,
    TOOLKIT_APP,
    VALIDATOR_APP,
)

_NEEDED: Final = {MIG_MANAGER_APP: CHANGES, DEVICE_PLUGIN_APP: DEVICES, FEATURE_DISCOVERY_APP: ("D-26",)}
"""Operands without which there is no MIG, with the requirements that one of them that is missing rules out."""
_COMPONENT: Final = {
    MIG_MANAGER_APP: "migManager",
    DEVICE_PLUGIN_APP: "devicePlugin",
    FEATURE_DISCOVERY_APP: "gfd",
}
"""Their fields of the ClusterPolicy."""
_LABELS: Final = {
    MIG_MANAGER_APP: "mig-manager",
    DEVICE_PLUGIN_APP: "device-plugin",
    FEATURE_DISCOVERY_APP: "gpu-feature-discovery",
    DRIVER_APP: "driver",
    TOOLKIT_APP: "container-toolkit",
    VALIDATOR_APP: "operator-validator",
    DCGM_APP: "dcgm",
    DCGM_EXPORTER_APP: "dcgm-exporter",
}
"""Deploy label of each operand, without its prefix. Source: gpu-operator v26.7.0, assets."""
_WITHOUT_DEVICES: Final = (DEVICE_PLUGIN_APP, VALIDATOR_APP)
"""Operands that are not Ready where nothing can be advertised. Source: k8s-device-plugin v0.20.0, internal/rm."""
_RECENT: Final = timedelta(hours=1)
"""An error of a container that is older says nothing about a run."""


def needed(snapshot: Snapshot) -> Iterator[Seen]:
    """An operand without which there is no MIG is missing on a node, or not Ready."""
    if snapshot.policy is None:
        return  # the check `no-cluster-policy` says so
    for app, rules_out in _NEEDED.items():
        if app == MIG_MANAGER_APP and not enabled(snapshot.policy, "migManager"):
            continue  # the check `manager-off` says so
        if app not in snapshot.daemon_sets and not snapshot.unread:
            yield _without_daemon_set(snapshot, app, rules_out)
            continue
        yield from _on_nodes(snapshot, app, rules_out)


def uneven(snapshot: Snapshot) -> Iterator[Seen]:
    """Strategy `single`, and GPUs that are divided unevenly: the device plugin ends, and the validator waits for it."""
    for node in snapshot.mig_nodes:
        if _is_uneven(node):
            found = "the GPUs are divided unevenly under strategy single, so the device plugin advertises nothing"
            fix = f"set label {MIG_CONFIG} to a configuration with one profile, or strategy mixed"
            yield Seen(str(node), found, fix)


def others(snapshot: Snapshot) -> Iterator[Seen]:
    """Another operand of the operator is missing on a node, or not Ready."""
    for app in _LABELS:
        if app not in _NEEDED and app in snapshot.daemon_sets:
            yield from _on_nodes(snapshot, app, ())


def switched_off(snapshot: Snapshot) -> Iterator[Seen]:
    """The device plugin or GPU Feature Discovery is switched off on a node by its deploy label."""
    for app in (DEVICE_PLUGIN_APP, FEATURE_DISCOVERY_APP):
        key = DEPLOY_PREFIX + _LABELS[app]
        for node in snapshot.mig_nodes:
            if node.labels.get(key) not in ("true", PAUSED):
                value = node.labels.get(key, "absent")
                fix = f"remove label {key}, and {DEPLOY_PREFIX}operands if it is false; the operator sets {key}=true"
                yield Seen(str(node), f"{app} is off (label {key} is {value})", fix, _NEEDED[app])


def restarted(snapshot: Snapshot) -> Iterator[Seen]:
    """A container of an operand ended with an error within the last hour."""
    for app in _LABELS:
        for node, pods in _under_test(snapshot, app):
            for pod in pods:
                if _has_nothing_to_serve(app, node):
                    continue  # the check `uneven` says so
                if pod.failed_at is not None and snapshot.taken - pod.failed_at < _RECENT:
                    found = f"{app} was restarted {pod.view.restarts} times, last after an error within the last hour"
                    yield Seen(str(node), found, _logs(pod, "--previous"))


def images(snapshot: Snapshot) -> Iterator[Seen]:
    """An operand runs another image than its ClusterPolicy, or the user's file, declares."""
    policy = snapshot.policy
    places = {
        "ClusterPolicy": read_declarations(policy.raw.get("spec") or {}) if policy else {},
        "--declared-versions": snapshot.declared,
    }
    for name, (app, container) in COMPONENTS.items():
        declared = {place: by_name[name] for place, by_name in places.items() if name in by_name}
        in_template = snapshot.daemon_sets[app].images.get(container, "") if app in snapshot.daemon_sets else ""
        found = {f"DaemonSet {app}": in_template} if in_template else {}
        for line in differences(ComponentImages(name, declared, found)):
            yield Seen(f"DaemonSet {app}", line, "see whether the operator has applied the ClusterPolicy, and its log")
        for node, pods in _under_test(snapshot, app):
            for image in {pod.view.images.get(container, "") for pod in pods} - {""}:
                for line in differences(ComponentImages(name, declared, {"pod": image})):
                    yield Seen(str(node), line, f"delete pods of {app} that run another image, or wait for the roll")


def paused(snapshot: Snapshot) -> Iterator[Seen]:
    """Deploy labels are paused although no change of the geometry is going on."""
    for node in snapshot.mig_nodes:
        keys = sorted(key for key, value in node.labels.items() if key.startswith(DEPLOY_PREFIX) and value == PAUSED)
        if keys and node.labels.get("nvidia.com/mig.config.state") not in ("pending", "rebooting"):
            names = ", ".join(key.removeprefix(DEPLOY_PREFIX) for key in keys)
            fix = f"set {DEPLOY_PREFIX}* of these operands to true, or ask for another configuration and back"
            yield Seen(str(node), f"a change was not finished: deploy labels are {PAUSED}: {names}", fix)


def _on_nodes(snapshot: Snapshot, app: str, rules_out: tuple[str, ...]) -> Iterator[Seen]:
    key = DEPLOY_PREFIX + _LABELS[app]
    for node, pods in _under_test(snapshot, app):
        if not pods and node.labels.get(key) == "true":
            fix = f"see `kubectl describe daemonset -n {snapshot.namespace} {app}`"
            yield Seen(str(node), f"{app} has no pod", fix, rules_out)
        for pod in pods:
            if not pod.view.ready and not _has_nothing_to_serve(app, node):
                yield Seen(str(node), f"{app} is not Ready: {_state(pod)}", _logs(pod), rules_out)


def _without_daemon_set(snapshot: Snapshot, app: str, rules_out: tuple[str, ...]) -> Seen:
    off = not enabled(snapshot.policy, _COMPONENT[app])
    field = f"spec.{_COMPONENT[app]}.enabled of the ClusterPolicy"
    found = f"{app} is off ({field})" if off else f"there is no DaemonSet {app}"
    fix = f"set {field} to true" if off else "see the log of the operator: it creates the DaemonSet"
    return Seen("cluster", found, fix, rules_out)


def _has_nothing_to_serve(app: str, node: SeenNode) -> bool:
    """Whether the geometry keeps an operand from being Ready."""
    return app in _WITHOUT_DEVICES and _is_uneven(node)


def _is_uneven(node: SeenNode) -> bool:
    """Whether `single` cannot describe the GPUs. Source: k8s-device-plugin v0.20.0, internal/lm."""
    return node.labels.get(GPU_PRODUCT, "").endswith("-MIG-INVALID")


def _under_test(snapshot: Snapshot, app: str) -> Iterator[tuple[SeenNode, list[SeenPod]]]:
    pods = snapshot.operands(app)
    for node in snapshot.mig_nodes:
        yield node, pods.get(node.name, [])


def _state(pod: SeenPod) -> str:
    view = pod.view
    waiting = ", ".join(f"{container} waits: {reason}" for container, reason in view.waiting.items())
    restarts = f"; {view.restarts} restarts" if view.restarts else ""
    return f"{waiting or view.reason or view.phase}{restarts}"


def _logs(pod: SeenPod, option: str = "") -> str:
    words = ("kubectl", "logs", option, "--all-containers", "-n", pod.view.namespace, pod.view.name)
    return f"see `{' '.join(filter(None, words))}`"
