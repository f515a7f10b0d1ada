"""Whether the devices of a node are shared by several containers, through time-slicing or MPS.

The suite does not judge names, counts and labels of shared devices, nor which pod gets which of them.
Source: docs/reference/device-plugin.md#shared-devices.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from conformance.cluster.views import PolicyView
from conformance.operations.plugin_files import chosen_file
from conformance.spec.go_yaml import YamlError, read_first_document
from conformance.spec.names import PREFIX

_WAYS: Final[Mapping[str, str]] = {"timeSlicing": "time-slicing", "mps": "MPS"}
_STRATEGY: Final = ".sharing-strategy"
_NOT_SHARED: Final = ("", "none")


def sharing_of(labels: Mapping[str, str], policy: PolicyView, config_maps: Mapping[str, Mapping[str, str]]) -> str:
    """Return how devices of a node are shared, in one phrase; empty if they are not.

    Args:
        labels: Labels of the node. One of them chooses a file of the device plugin's ConfigMap, others name what is
            shared at the moment.
        policy: The ClusterPolicy, which names the ConfigMap and its default file.
        config_maps: Data of the ConfigMaps of the operator's namespace, by name.
    """
    file, text = chosen_file(labels, policy, config_maps)
    if shared := _shared_in(text):
        return f"{shared} in file {file} of ConfigMap {policy.plugin_config}"
    now = {name.removesuffix(_STRATEGY): value for name, value in labels.items() if name.endswith(_STRATEGY)}
    shown = [f"{value} of {name}" for name, value in sorted(now.items()) if _is_shared(name, value)]
    return ", ".join(shown) and f"{', '.join(shown)} by the labels of the node"


def _is_shared(name: str, value: str) -> bool:
    return name.startswith(PREFIX) and value not in _NOT_SHARED


def _shared_in(text: str) -> str:
    try:
        content = read_first_document(text)
    except YamlError:
        return ""  # the device plugin refuses the file
    section = content.get("sharing") if isinstance(content, dict) else None
    if not isinstance(section, dict):
        return ""
    return ", ".join(f"{way} of {_names(section[key])}" for key, way in _WAYS.items() if section.get(key))


def _names(way: Any) -> str:
    entries = way.get("resources") if isinstance(way, dict) else None
    listed = [str(entry.get("name", "")) for entry in entries or () if isinstance(entry, dict)]
    return ", ".join(listed) or "no resource"
