"""Label and field selectors, as they stand in a request's query."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from conformance.sim.apiserver.errors import bad_request
from conformance.sim.apiserver.objects import Matcher, Object, look
from conformance.sim.apiserver.resources.builtin import Resource

Labels = Mapping[str, str]

_IN = re.compile(r"^(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\(\s*(?P<values>[^()]*)\)$")
_COMPARE = re.compile(r"^(?P<key>[^\s!=,()<>]+)\s*(?P<op>==|=|!=|>|<)\s*(?P<value>[^\s,()!=<>]*)$")
_EXISTS = re.compile(r"^(?P<not>!?)\s*(?P<key>[^\s!=,()]+)$")
_COMMA = re.compile(r",(?![^(]*\))")

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.nominatedNodeName",
    ),
    "events": (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source.component", "type",
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "replicasets": ("status.replicas",),
    "jobs": ("status.successful",),
}  # fmt: skip
"""Fields that can be selected by, beside name and namespace. Source: pkg/registry/*/strategy.go of Kubernetes v1.36."""


def everything(_: Object) -> bool:
    """Match every object."""
    return True


@lru_cache(maxsize=512)
def label_terms(text: str) -> tuple[Callable[[Labels], bool], ...]:
    """Return the terms of a label selector, all of which must hold; raises ApiError (400) where one is unreadable."""
    return tuple(_label_term(part.strip()) for part in _COMMA.split(text) if part.strip())


def label_matcher(text: str) -> Matcher:
    """Return the test that a label selector stands for; an empty one matches everything."""
    terms = label_terms(text)
    if not terms:
        return everything

    def matches(obj: Object) -> bool:
        labels = look(obj, "metadata", "labels", default={})
        return all(term(labels) for term in terms)

    return matches


def _label_term(text: str) -> Callable[[Labels], bool]:
    if match := _IN.match(text):
        key, values = match["key"], {value.strip() for value in match["values"].split(",")}
        if match["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match := _COMPARE.match(text):
        return _comparison(match["key"], match["op"], match["value"])
    if match := _EXISTS.match(text):
        key, wanted = match["key"], not match["not"]
        return lambda labels: (key in labels) is wanted
    raise bad_request(f"unable to parse requirement: {text!r}")


def _comparison(key: str, operator: str, value: str) -> Callable[[Labels], bool]:
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    if operator in ("=", "=="):
        return lambda labels: labels.get(key) == value
    if not re.match(r"^-?\d+$", value):
        raise bad_request(f"for 'Gt', 'Lt' operators, the value must be an integer: {value!r}")
    limit, sign = int(value), 1 if operator == ">" else -1

    def holds(labels: Labels) -> bool:
        found = labels.get(key, "")
        return bool(re.match(r"^-?\d+$", found)) and (int(found) - limit) * sign > 0

    return holds


def selector_of(selector: Object) -> Matcher:
    """Return the test that an object's own LabelSelector (`matchLabels`, `matchExpressions`) stands for."""
    terms = [f"{key}={value}" for key, value in look(selector, "matchLabels", default={}).items()]
    for expression in look(selector, "matchExpressions", default=[]):
        key, operator = expression["key"], expression["operator"]
        if operator in ("Exists", "DoesNotExist"):
            terms.append(key if operator == "Exists" else f"!{key}")
        else:
            terms.append(f"{key} {operator.lower()} ({','.join(expression.get('values', ()))})")
    return label_matcher(",".join(terms))


def field_matcher(text: str, resource: Resource, selectable: tuple[str, ...] = ()) -> Matcher:
    """Return the test that a field selector stands for; an empty one matches everything.

    Args:
        text: The selector.
        resource: What is selected from.
        selectable: Further fields that a custom resource's definition lets be selected by.

    Raises:
        ApiError: 400, where the resource cannot be selected by such a field.
    """
    terms = [_field_term(part.strip(), resource, selectable) for part in text.split(",") if part.strip()]
    return (lambda obj: all(term(obj) for term in terms)) if terms else everything


def _field_term(text: str, resource: Resource, selectable: tuple[str, ...]) -> Matcher:
    match = _COMPARE.match(text)
    if not match or match["op"] in "<>":
        raise bad_request(f"invalid selector: {text!r}; can't understand {text!r}")
    name, value, equal = match["key"], match["value"], match["op"] != "!="
    common, own = ("metadata.name", "metadata.namespace"), _FIELDS.get(resource.plural, ())
    if name not in (*common, *own, *selectable):
        if own or resource.model is None:
            raise bad_request(f"field label not supported: {name}")
        raise bad_request(f'"{name}" is not a known field selector: only "metadata.name", "metadata.namespace"')
    path = name.split(".")

    def holds(obj: Object) -> bool:
        found = look(obj, *path, default="")
        shown = str(found).lower() if isinstance(found, bool) else str(found)
        return (shown == value or (value == "false" and shown == "")) is equal

    return holds
