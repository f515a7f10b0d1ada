"""The NodeFeature object that passes labels from GPU Feature Discovery to Node Feature Discovery.

Source: NVIDIA/k8s-device-plugin v0.20.0, internal/lm/output.go. Before v0.19 the labels went through a
file that NFD read once a minute; the file is not simulated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from conformance.sim.kube import NODE_FEATURES, Kube, KubeError

NAME_PREFIX: Final = "nvidia-features-for-"
NODE_NAME_LABEL: Final = "nfd.node.kubernetes.io/node-name"

Object = dict[str, Any]


class NodeFeature:
    """The NodeFeature object of one node.

    Args:
        kube: Client of the component.
        node: Name of the node.
        pod: The Pod object of the program. It determines the namespace; the pod and its DaemonSet own the object.
    """

    def __init__(self, kube: Kube, node: str, pod: Mapping[str, Any]) -> None:
        self.name = NAME_PREFIX + node
        self._kube = kube
        self._node = node
        self._pod = pod
        self._namespace = str(pod["metadata"]["namespace"])

    async def read(self) -> Object | None:
        """Return the object from the API server; None if there is none.

        Raises:
            KubeError: The API server refuses.
        """
        try:
            return await self._kube.get(NODE_FEATURES, self.name, self._namespace)
        except KubeError as error:
            if error.not_found:
                return None
            raise

    async def write(self, labels: Mapping[str, str], before: Object | None) -> bool:
        """Create the object, or replace `before` if it differs.

        Returns:
            Whether anything was written.

        Raises:
            KubeError: The API server refuses.
        """
        wanted = self._object(labels)
        if before is None:
            await self._kube.create(NODE_FEATURES, wanted, self._namespace)
            return True
        if _content(before) == _content(wanted):
            return False
        wanted["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        await self._kube.replace(NODE_FEATURES, wanted)
        return True

    def _object(self, labels: Mapping[str, str]) -> Object:
        return {
            "apiVersion": NODE_FEATURES.api_version,
            "kind": NODE_FEATURES.kind,
            "metadata": {
                "name": self.name,
                "namespace": self._namespace,
                "labels": {NODE_NAME_LABEL: self._node},
                "ownerReferences": self._owners(),
            },
            "spec": {"features": {"flags": {}, "attributes": {}, "instances": {}}, "labels": dict(labels)},
        }

    def _owners(self) -> list[Object]:
        meta = self._pod["metadata"]
        of_pod = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        for owner in meta.get("ownerReferences", ()):
            if owner["kind"] == "DaemonSet":
                kept = {key: owner[key] for key in ("apiVersion", "kind", "name", "uid")}
                return [kept | {"controller": True}, of_pod]
        return []


def labels_of(feature: Object | None) -> dict[str, str]:
    """Return the labels in the object; empty if there is no object."""
    return dict(feature["spec"].get("labels") or {}) if feature else {}


def _content(feature: Object) -> tuple[Any, ...]:
    meta = feature["metadata"]
    return meta.get("labels"), meta.get("ownerReferences") or [], feature["spec"]
