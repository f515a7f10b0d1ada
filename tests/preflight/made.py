"""A snapshot of a healthy cluster, made of raw objects, and ways to break it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from conformance.cluster.pod_view import pod_view
from conformance.cluster.views import daemon_set_view, node_view, policy_view
from conformance.expect.versions import COMPONENTS
from conformance.operations.rights import MissingRight
from conformance.preflight.reading import failed_at
from conformance.preflight.snapshot import Budget, Refusal, SeenNode, SeenPod, SeenPolicy, Snapshot

NOW: Final = datetime(2026, 11, 28, 12, tzinfo=UTC)
CONFIGURATIONS: Final = """
version: v1
mig-configs:
  all-disabled: [{devices: all, mig-enabled: false}]
  all-1g.10gb: [{devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}}]
"""
_DEPLOYED: Final = (
    *("mig-manager", "device-plugin", "gpu-feature-discovery", "driver", "container-toolkit"),
    *("operator-validator", "dcgm", "dcgm-exporter"),
)


@dataclass
class World:
    """The raw objects of a cluster; a test changes them and looks at `snapshot`."""

    policies: list[dict[str, Any]] = field(default_factory=list)
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    daemon_sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    config_maps: dict[str, dict[str, str]] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)

    @property
    def policy(self) -> dict[str, Any]:
        """The spec of the ClusterPolicy."""
        spec: dict[str, Any] = self.policies[0]["spec"]
        return spec

    def labels(self, node: str = "a") -> dict[str, str]:
        """The labels of a node."""
        labels: dict[str, str] = self.nodes[node]["metadata"]["labels"]
        return labels

    def owned(self, manager: str, *, of: dict[str, Any], label: str, time: str = "2026-11-28T11:59:00Z") -> None:
        """Have a field manager own a label of an object."""
        fields: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{label}": {}}}}
        of["metadata"].setdefault("managedFields", []).append({"manager": manager, "time": time, "fieldsV1": fields})

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot."""
        snapshot = Snapshot(
            policies=tuple(SeenPolicy(policy_view(raw), raw) for raw in self.policies),
            nodes=tuple(SeenNode(node_view(raw), raw) for raw in self.nodes.values()),
            pods=tuple(SeenPod(pod_view(raw), failed_at(raw)) for raw in self.pods.values()),
            daemon_sets={name: daemon_set_view(raw) for name, raw in self.daemon_sets.items()},
            config_maps=self.config_maps,
            taken=NOW,
        )
        return replace(snapshot, **self.rest)


def healthy() -> World:
    """Two nodes with H100 GPUs and one with a T4, as the operator v26.7.0 leaves them."""
    world = World(policies=[_policy()])
    world.config_maps["default-mig-parted-config"] = {"config.yaml": CONFIGURATIONS}
    for component, (app, container) in COMPONENTS.items():
        if component != "dcgm":
            image = _image(world.policy[component])
            world.daemon_sets[app] = _daemon_set(app, container, image)
            for node in ("a", "b", *(("t4",) if component != "migManager" else ())):
                world.pods[f"{app}-{node}"] = pod(f"{app}-{node}", node, app=app, container=container, image=image)
    world.nodes = {"a": _node("a"), "b": _node("b"), "t4": _node("t4", capable="false", product="Tesla-T4")}
    del world.nodes["t4"]["metadata"]["labels"]["nvidia.com/mig.config"]
    return world


def pod(
    name: str, node: str, *, namespace: str = "gpu-operator", app: str = "", container: str = "main",
    image: str = "i:1", gpus: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """A Running, Ready pod."""
    limits = {"resources": {"limits": {"nvidia.com/gpu": str(gpus)}}} if gpus else {}
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": name,
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-28T08:00:00Z",
            "labels": {"app": app},
        },
        "spec": {"nodeName": node, "containers": [{"name": container, "image": image, **limits}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": container, "restartCount": 0, "state": {"running": {}}}],
        },
    }


def budget(namespace: str, selector: dict[str, Any], allowed: int) -> Budget:
    """A PodDisruptionBudget."""
    return Budget(namespace, "keep", selector, allowed)


def refusal(message: str) -> Refusal:
    """What the server said of a pod of the suite."""
    return Refusal("pod slice-user", message)


def missing(what: str, level: Any) -> MissingRight:
    """A right that is missing."""
    return MissingRight(level, what)


def _policy() -> dict[str, Any]:
    versions = {
        name: {"enabled": True, "repository": "r", "image": name.lower(), "version": "v1"} for name in COMPONENTS
    }
    versions["dcgm"]["enabled"] = False
    return {
        "metadata": {"name": "cluster-policy", "resourceVersion": "1", "creationTimestamp": "2026-11-01T00:00:00Z"},
        "spec": {"mig": {"strategy": "single"}, **versions},
        "status": {
            "state": "ready",
            "namespace": "gpu-operator",
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "Error", "status": "False"}],
        },
    }


def _image(part: dict[str, Any]) -> str:
    return f"{part['repository']}/{part['image']}:{part['version']}"


def _daemon_set(app: str, container: str, image: str) -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": container, "image": image}]}}
    meta = {"name": app, "namespace": "gpu-operator", "resourceVersion": "1"}
    return {"metadata": meta, "spec": {"template": template}, "status": {}}


def _node(name: str, *, capable: str = "true", product: str = "NVIDIA-H100-80GB-HBM3") -> dict[str, Any]:
    labels = {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.compute.major": "9" if capable == "true" else "7",
        "nvidia.com/cuda.driver-version.full": "580.159.04",
        "nvidia.com/mig.capable": capable,
        "nvidia.com/mig.strategy": "single",
        "nvidia.com/mig.config": "all-disabled",
        **{f"nvidia.com/gpu.deploy.{name}": "true" for name in _DEPLOYED},
    }
    if capable == "true":
        labels["nvidia.com/mig.config.state"] = "success"
    return {
        "metadata": {"name": name, "uid": name, "resourceVersion": "1", "labels": labels},
        "spec": {},
        "status": {"allocatable": {"nvidia.com/gpu": "8"}, "conditions": [{"type": "Ready", "status": "True"}]},
    }
