"""Containers of a pod or a pod template: computed defaults and the rules for their resources.

Source: pkg/apis/core/v1/defaults.go and pkg/apis/core/validation/validation.go of Kubernetes v1.36.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from conformance.sim.apiserver.errors import Cause, duplicate, invalid, required
from conformance.sim.apiserver.metadata import dns_label_breaches
from conformance.sim.apiserver.objects import Object, look, replaced
from conformance.sim.apiserver.quantity import value_of

_STANDARD = re.compile(r"^(?:cpu|memory|ephemeral-storage|storage|hugepages-.+|attachable-volumes-.+)$")
CONTAINER_LISTS = ("initContainers", "containers")


def with_defaults(spec: Object) -> Object:
    """Return a pod's spec, or a template's, with a pull policy in each container and a source in each volume."""
    spec = _with_each(spec, _with_pull_policy)
    volumes = [volume if len(volume) > 1 else {**volume, "emptyDir": {}} for volume in spec.get("volumes") or []]
    return {**spec, "volumes": volumes} if volumes else spec


def with_requests(spec: Object) -> Object:
    """Return a pod's spec with each limit that has no request of its own as the request too."""
    return _with_each(spec, _with_requests)


def _with_each(spec: Object, change: Callable[[Object], Object]) -> Object:
    return {**spec, **{kind: [change(item) for item in spec[kind]] for kind in CONTAINER_LISTS if spec.get(kind)}}


def _with_pull_policy(container: Object) -> Object:
    if container.get("imagePullPolicy"):
        return container
    tag = str(container.get("image", "")).rpartition("/")[2].partition(":")[2]
    return {**container, "imagePullPolicy": "Always" if tag in ("", "latest") else "IfNotPresent"}


def _with_requests(container: Object) -> Object:
    limits = look(container, "resources", "limits", default={})
    requests = look(container, "resources", "requests", default={})
    if limits.keys() <= requests.keys():
        return container
    return replaced(container, {**limits, **requests}, "resources", "requests")


def is_extended(resource: str) -> bool:
    """Tell whether a resource is one that a device plug-in or an administrator adds (`nvidia.com/gpu`)."""
    return "/" in resource and not resource.partition("/")[0].endswith("kubernetes.io")


def breaches(spec: Object, field: str) -> list[Cause]:
    """Return the rules that the containers of the pod spec at `field` break."""
    if not spec.get("containers"):
        return [required(f"{field}.containers")]
    names: set[str] = set()
    found = _volume_breaches(spec, field)
    for path, container in _containers(spec, field):
        name = container["name"]
        found += dns_label_breaches(name, f"{path}.name")
        if name in names:
            found.append(duplicate(f"{path}.name", name))
        names.add(name)
        if not container.get("image"):
            found.append(required(f"{path}.image"))
        found += _resource_breaches(container.get("resources") or {}, f"{path}.resources")
    return found


def _volume_breaches(spec: Object, field: str) -> list[Cause]:
    found: list[Cause] = []
    names: set[str] = set()
    for number, volume in enumerate(spec.get("volumes") or []):
        if volume["name"] in names:
            found.append(duplicate(f"{field}.volumes[{number}].name", volume["name"]))
        names.add(volume["name"])
    for path, container in _containers(spec, field):
        for number, mount in enumerate(container.get("volumeMounts") or []):
            if mount["name"] not in names:
                at = f"{path}.volumeMounts[{number}].name"
                found.append(Cause(at, f'Not found: "{mount["name"]}"', "FieldValueNotFound"))
    return found


def _containers(spec: Object, field: str) -> Iterator[tuple[str, Object]]:
    for kind in CONTAINER_LISTS:
        for number, container in enumerate(spec.get(kind) or []):
            yield f"{field}.{kind}[{number}]", container


def _resource_breaches(resources: Object, field: str) -> list[Cause]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    found: list[Cause] = []
    for side, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            found += _amount_breaches(name, amount, f"{field}.{side}[{name}]")
    for name, amount in requests.items():
        found += _request_breaches(name, amount, limits.get(name), f"{field}.requests")
    return found


def _amount_breaches(name: str, amount: str, field: str) -> list[Cause]:
    if not is_extended(name) and not _STANDARD.match(name):
        return [invalid(field, name, "must be a standard resource for containers")]
    value = value_of(amount)
    if value < 0:
        return [invalid(field, amount, "must be greater than or equal to 0")]
    if is_extended(name) and value != value.to_integral_value():
        return [invalid(field, amount, "must be an integer")]
    return []


def _request_breaches(name: str, request: str, limit: Any, field: str) -> list[Cause]:
    if limit is None:
        detail = "Limit must be set for non overcommitable resources"
        return [required(field.replace("requests", "limits"), detail)] if is_extended(name) else []
    if is_extended(name) and value_of(request) != value_of(limit):
        return [invalid(field, request, f"must be equal to {name} limit of {limit}")]
    if value_of(request) > value_of(limit):
        return [invalid(field, request, f"must be less than or equal to {name} limit of {limit}")]
    return []
