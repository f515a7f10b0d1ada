"""The metadata that every object has: what the server writes into it and which rules names and labels keep.

Source: k8s.io/apimachinery pkg/util/validation and pkg/api/validation, k8s.io/apiserver pkg/registry/rest v0.36.
"""

from __future__ import annotations

import re
import secrets
import uuid
from datetime import datetime

from conformance.sim.apiserver.errors import Cause, forbidden_field, invalid, required
from conformance.sim.apiserver.objects import Object, look, name_of, replaced, with_field_of, without
from conformance.sim.times import api_time

_LABEL_NAME = re.compile(r"^(?:[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)$")
_SUBDOMAIN = re.compile(r"^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$")
_QUALIFIED = re.compile(r"^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$")
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_GENERATED_MAXIMUM = 58
_SYSTEM_FIELDS = (
    "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "generateName",
    "selfLink",
)  # fmt: skip

DNS_LABELS = frozenset({"namespaces", "services"})
"""Resources whose names are DNS labels."""
PATH_SEGMENTS = frozenset({"roles", "rolebindings", "clusterroles", "clusterrolebindings", "controllerrevisions"})
"""Resources whose names only have to fit into a path."""


def for_create(obj: Object, namespace: str, now: datetime) -> Object:
    """Return `obj` with what the server writes into the metadata of a new object.

    Args:
        obj: The object; its name may be empty where it has `generateName`.
        namespace: Namespace of the request, empty in the cluster scope.
        now: Time of the creation.
    """
    given = obj.get("metadata") or {}
    name, prefix = given.get("name"), given.get("generateName")
    if not name and prefix:
        name = prefix[:_GENERATED_MAXIMUM] + "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(5))
    written = {"uid": str(uuid.uuid4()), "creationTimestamp": api_time(now)}
    metadata = {key: value for key, value in given.items() if key not in (*_SYSTEM_FIELDS, "resourceVersion")}
    metadata |= written
    if prefix:
        metadata["generateName"] = prefix
    if name:
        metadata["name"] = name
    if namespace:
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    return {**obj, "metadata": metadata}


def for_update(new: Object, old: Object) -> Object:
    """Return `new` with the fields of `old` that only the server writes."""
    for name in (*_SYSTEM_FIELDS, "resourceVersion", "namespace", "name"):
        if look(new, "metadata", name) != look(old, "metadata", name):
            new = with_field_of(new, old, "metadata", name)
    return new


def marked_for_deletion(obj: Object, grace: int, when: datetime) -> Object:
    """Return `obj` as waiting for its end, `grace` seconds of which the owner of the object may use, until `when`."""
    marked = replaced(obj, api_time(when), "metadata", "deletionTimestamp")
    marked = replaced(marked, grace, "metadata", "deletionGracePeriodSeconds")
    generation = look(obj, "metadata", "generation", default=0)
    return replaced(marked, generation + 1, "metadata", "generation") if generation else marked


def with_finalizers(obj: Object, finalizers: list[str]) -> Object:
    """Return `obj` with exactly these finalizers; the field is absent where there are none."""
    if finalizers:
        return replaced(obj, finalizers, "metadata", "finalizers")
    return without(obj, "metadata", "finalizers")


def breaches(obj: Object, plural: str) -> list[Cause]:
    """Return the rules that name, labels, annotations and owner references of `obj` break."""
    found = _name_breaches(name_of(obj), plural)
    for key, value in look(obj, "metadata", "labels", default={}).items():
        found += label_breaches(key, value, "metadata.labels")
    for key in look(obj, "metadata", "annotations", default={}):
        found += key_breaches(key.lower(), "metadata.annotations")
    return found


def update_breaches(new: Object, old: Object) -> list[Cause]:
    """Return the rules of metadata that the change from `old` to `new` breaks."""
    before, after = (set(look(obj, "metadata", "finalizers", default=[])) for obj in (old, new))
    if look(old, "metadata", "deletionTimestamp") and after - before:
        detail = f"no new finalizers can be added if the object is being deleted, found new finalizers {sorted(after)}"
        return [forbidden_field("metadata.finalizers", detail)]
    return []


def _name_breaches(name: str, plural: str) -> list[Cause]:
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    if plural in PATH_SEGMENTS:
        fits = name not in (".", "..") and not re.search(r"[/%]", name)
        return [] if fits else [invalid("metadata.name", name, "may not be '.', '..' or contain '/' or '%'")]
    if plural in DNS_LABELS:
        return dns_label_breaches(name, "metadata.name")
    if len(name) > 253 or not _SUBDOMAIN.match(name):
        return [invalid("metadata.name", name, "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
                        "characters, '-' or '.', and must start and end with an alphanumeric character")]  # fmt: skip
    return []


def dns_label_breaches(name: str, field: str) -> list[Cause]:
    """Return what keeps `name`, which stands at `field`, from being a DNS label."""
    if len(name) <= 63 and _LABEL_NAME.match(name):
        return []
    detail = (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
        "and must start and end with an alphanumeric character"
    )
    return [invalid(field, name, detail)]


def key_breaches(key: str, field: str) -> list[Cause]:
    """Return what keeps `key` from being a qualified name (`prefix/name`), as labels and annotations have it."""
    prefix, slash, name = key.rpartition("/")
    fits = bool(_QUALIFIED.match(name)) and len(name) <= 63
    if slash:
        fits = fits and bool(_SUBDOMAIN.match(prefix))
    detail = "name part must consist of alphanumeric characters, '-', '_' or '.', with an optional DNS subdomain prefix"
    return [] if fits else [invalid(field, key, detail)]


def label_breaches(key: str, value: str, field: str) -> list[Cause]:
    """Return what is wrong with one label."""
    found = key_breaches(key, field)
    if value and (len(value) > 63 or not _QUALIFIED.match(value)):
        detail = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
            "and must start and end with an alphanumeric character"
        )
        found.append(invalid(field, value, detail))
    return found
