"""The environment of a container, and the GPUs that the container runtime makes visible."""

from __future__ import annotations

import re
from collections.abc import Mapping

from conformance.sim.device_manager import Grant
from conformance.sim.kube import Object
from conformance.sim.kubelet.volumes import ConfigMaps
from conformance.spec.names import RUNTIME_CLASS

VISIBLE_DEVICES = "NVIDIA_VISIBLE_DEVICES"
REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
"""`$(NAME)` in values, commands and arguments; `$$` stands for one dollar."""

SHELL_REFERENCE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")


def environment(pod: Object, container: Object, config_maps: ConfigMaps, grant: Grant) -> dict[str, str]:
    """Return the variables of a container: those of its spec, then those of the device plugins' responses.

    If two plugins set the same variable, the first one wins (kubelet, pod_devices.go). A plugin that returns CDI
    devices sets none; then `void` comes from the CDI specification.
    """
    variables: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        if reference := source.get("configMapRef"):
            found = config_maps(pod["metadata"]["namespace"], reference["name"]) or {}
            variables |= {source.get("prefix", "") + key: text for key, text in (found.get("data") or {}).items()}
    for entry in container.get("env") or []:
        variables[entry["name"]] = _value(pod, entry, variables, config_maps)
    granted: dict[str, str] = {}
    for answer in grant.answers:
        named_by_cdi = {VISIBLE_DEVICES: "void"} if answer.cdi or answer.annotations else {}
        for name, text in (named_by_cdi | dict(answer.envs)).items():
            granted.setdefault(name, text)
    return variables | granted


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by the variable; an unset name stays unchanged."""
    return REFERENCE.sub(lambda found: "$" if found[0] == "$$" else variables.get(found[1], found[0]), text)


def expand_shell(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$NAME` and `${NAME}` by the variable, as a shell does; an unset name becomes empty."""
    return SHELL_REFERENCE.sub(lambda found: variables.get(found[1] or found[2], ""), text)


def visible_gpus(pod: Object, container: Object, variables: Mapping[str, str], grant: Grant) -> frozenset[str] | None:
    """Return the UUIDs that the runtime injects; None for all GPUs of the node.

    A container with allocated devices sees only these. Without devices, a privileged container sees all GPUs, as
    operands do through the driver root, and one of runtime class `nvidia` sees those in NVIDIA_VISIBLE_DEVICES.
    """
    if grant.answers:
        return frozenset().union(*(answer.uuids for answer in grant.answers))
    if (container.get("securityContext") or {}).get("privileged"):
        return None
    asked = variables.get(VISIBLE_DEVICES, "")
    if pod["spec"].get("runtimeClassName") != RUNTIME_CLASS or asked in ("", "void", "none"):
        return frozenset()
    return None if asked == "all" else frozenset(asked.split(","))


def _value(pod: Object, entry: Object, variables: Mapping[str, str], config_maps: ConfigMaps) -> str:
    source = entry.get("valueFrom") or {}
    if reference := source.get("fieldRef"):
        return _field(pod, reference["fieldPath"])
    if reference := source.get("configMapKeyRef"):
        found = config_maps(pod["metadata"]["namespace"], reference["name"]) or {}
        return str((found.get("data") or {}).get(reference["key"], ""))
    return expand(entry.get("value") or "", variables)


def _field(pod: Object, path: str) -> str:
    """Return a field of the downward API, for example `spec.nodeName` or `metadata.labels['app']`."""
    if found := re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path):
        return str((pod["metadata"].get(found[1]) or {}).get(found[2], ""))
    part: object = pod
    for step in path.split("."):
        part = part.get(step, "") if isinstance(part, dict) else ""
    return str(part)
