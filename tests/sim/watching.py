"""A user of a simulated cluster: asks for configurations and strategies, and watches what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kubernetes import client

from tests.sim.official import api_client, events

LIMIT = 30
"""Real seconds; every wait takes a fraction of one."""
CONFIG = "nvidia.com/mig.config"
STATE = "nvidia.com/mig.config.state"
PRODUCT = "nvidia.com/gpu.product"


class Cluster:
    """A simulated cluster and what a user does with it."""

    def __init__(self, kubeconfig: Path) -> None:
        api = api_client(kubeconfig)
        # Any: the client's models call optional what every object of a server has, such as `metadata`.
        self.core: Any = client.CoreV1Api(api)
        self.apps: Any = client.AppsV1Api(api)
        self.custom: Any = client.CustomObjectsApi(api)

    def configure(self, node: str, name: str) -> Any:
        """Ask mig-manager for a configuration, and forget its former answer; returns the node as it was then."""
        return self.core.patch_node(node, {"metadata": {"labels": {STATE: None, CONFIG: name}}})

    def advertise(self, strategy: str) -> None:
        """Choose a strategy for the cluster."""
        self.change_policy({"mig": {"strategy": strategy}})

    def change_policy(self, spec: dict[str, Any]) -> None:
        """Change the ClusterPolicy."""
        patch = {"spec": spec}
        self.custom.patch_cluster_custom_object("nvidia.com", "v1", "clusterpolicies", "cluster-policy", patch)

    def policy(self) -> dict[str, Any]:
        """Return the ClusterPolicy."""
        found: dict[str, Any] = self.custom.get_cluster_custom_object(
            "nvidia.com", "v1", "clusterpolicies", "cluster-policy"
        )
        return found

    def node_until(self, name: str, holds: Callable[[Any], bool]) -> list[Any]:
        """Watch a node until something holds; return everything it was meanwhile."""
        selector = f"metadata.name={name}"
        return self._until(holds, self.core.list_node, field_selector=selector)

    def pod_until(self, app: str, holds: Callable[[Any], bool]) -> list[Any]:
        """Watch the operator's pods of one app until one fulfils something."""
        selector = f"app={app}"
        return self._until(holds, self.core.list_namespaced_pod, namespace="gpu-operator", label_selector=selector)

    @staticmethod
    def _until(holds: Callable[[Any], bool], what: Callable[..., Any], **where: str) -> list[Any]:
        seen = []
        for event in events(what, **where, timeout_seconds=LIMIT):
            seen.append(event["object"])
            if holds(event["object"]):
                return seen
        raise AssertionError(f"not seen within {LIMIT} s; last: {seen[-1] if seen else None}")


def devices(amounts: Mapping[str, str]) -> dict[str, int]:
    """Return the NVIDIA resources above zero."""
    found = {name: int(amount) for name, amount in amounts.items() if name.startswith("nvidia.com/")}
    return {name: amount for name, amount in found.items() if amount}


def offers(**amounts: int) -> Callable[[Any], bool]:
    """Return whether a node offers exactly these resources, written with `_` for what a name cannot have."""
    wanted = {"nvidia.com/" + name.replace("__", ".").replace("_", "-"): amount for name, amount in amounts.items()}
    return lambda node: devices(node.status.allocatable) == wanted


def answered(state: str) -> Callable[[Any], bool]:
    return lambda node: node.metadata.labels.get(STATE) == state


def is_ready(pod: Any) -> bool:
    return any(item.type == "Ready" and item.status == "True" for item in pod.status.conditions or ())
