"""Mounted files of a container: ConfigMaps, host directories, and directories of its pod.

Secrets and tokens are not mounted, because the programs of the simulator need none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from pathlib import PurePosixPath
from typing import Any

from conformance.sim.kube import Object
from conformance.sim.node import pod_directory

ConfigMaps = Callable[[str, str], Object | None]
"""Looks up a ConfigMap by namespace and name."""


def missing_config_map(pod: Object, config_maps: ConfigMaps) -> tuple[str, str] | None:
    """Return volume and ConfigMap of the first missing ConfigMap; None if none is missing."""
    namespace = pod["metadata"]["namespace"]
    for volume in pod["spec"].get("volumes") or []:
        source = volume.get("configMap")
        if source and not source.get("optional") and config_maps(namespace, source["name"]) is None:
            return volume["name"], source["name"]
    return None


class Files:
    """The mounted files of one container, looked up at each access.

    Args:
        pod: The Pod object.
        container: The container's part of the pod spec.
        config_maps: Looks up a ConfigMap.
        host: Files of the node by path.
    """

    def __init__(self, pod: Object, container: Object, config_maps: ConfigMaps, host: Mapping[str, str]) -> None:
        self._namespace = pod["metadata"]["namespace"]
        self._uid = pod["metadata"]["uid"]
        self._config_maps = config_maps
        self._host = host
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
        mounts = [
            (PurePosixPath(mount["mountPath"]), mount.get("subPath") or "", volumes[mount["name"]])
            for mount in container.get("volumeMounts") or []
            if mount["name"] in volumes
        ]
        self._mounts = sorted(mounts, key=lambda mount: len(mount[0].parts), reverse=True)

    def read(self, path: str) -> str | None:
        """Return the content of a mounted file; None if there is no such file."""
        asked = PurePosixPath(path)
        for mounted_at, sub_path, volume in self._mounts:
            if asked.is_relative_to(mounted_at):
                inner = PurePosixPath(sub_path) / asked.relative_to(mounted_at)
                return self._read_from(volume, str(inner))
        return None

    def _read_from(self, volume: Mapping[str, Any], inner: str) -> str | None:
        if source := volume.get("configMap"):
            data = self._config_map_files(source)
            return data.get(inner)
        if source := volume.get("hostPath"):
            return self._host.get(str(PurePosixPath(source["path"]) / inner))
        if "emptyDir" in volume:
            return self._host.get(f"{pod_directory(self._uid, volume['name'])}/{inner}")
        return None

    def _config_map_files(self, source: Object) -> Mapping[str, str]:
        found = self._config_maps(self._namespace, source["name"])
        data: MutableMapping[str, str] = (found or {}).get("data") or {}
        if items := source.get("items"):
            return {item["path"]: data[item["key"]] for item in items if item["key"] in data}
        return data
