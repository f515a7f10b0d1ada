"""Resources: their names, paths and verbs.

The built-in ones are read from the source code of the official client, whose request builders name every path, method
and type of Kubernetes, so that no hand-written list can fall behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from kubernetes.client import api as client_api

from conformance.spec.package_data import read_yaml

_VERB_OF_METHOD: Mapping[str, tuple[str, ...]] = {
    "POST": ("create",),
    "PUT": ("update",),
    "PATCH": ("patch",),
    "DELETE": ("delete", "deletecollection"),
    "GET": ("get", "list", "watch"),
}
ALL_VERBS: tuple[str, ...] = tuple(sorted(verb for verbs in _VERB_OF_METHOD.values() for verb in verbs))
"""Verbs of every resource whose objects are stored."""

_CALL = re.compile(r"""'200': "(\w+)"|method='([A-Z]+)',\s*resource_path='([^']+)'""")
_PATH = re.compile(
    r"^/apis?(?:/(?P<group>[a-z0-9.]+))?/(?P<version>v\d+)(?P<namespaced>/namespaces/\{namespace\})?"
    r"/(?P<plural>[a-z]+)(?P<named>/\{name\})?(?:/(?P<sub>[a-z]+))?$"
)


@dataclass(frozen=True)
class Resource:
    """One kind of object in one version of its API group.

    Attributes:
        group: API group; empty for the core group.
        version: Version in that group, for example `v1`.
        plural: Name in the path.
        kind: Name in `kind`.
        namespaced: Whether its objects live in namespaces.
        model: Name of the official client's model; None for custom resources.
        subresources: Names of the subresources (`status`, `log`, ...).
        stored: Whether objects are stored; False for resources that only support `create`, such as access reviews.
        singular: Singular name, as kubectl accepts it.
        short_names: Abbreviations that kubectl accepts.
        categories: Groups of resources that kubectl accepts, such as `all`.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    model: str | None = None
    subresources: frozenset[str] = frozenset()
    stored: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Group and plural name, which all versions of the resource share."""
        return self.group, self.plural

    @property
    def api_version(self) -> str:
        """Value of `apiVersion` in its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass
class _Found:
    """What the client's paths tell about one resource."""

    model: str = ""
    namespaced: bool = False
    stored: bool = False
    subresources: set[str] = field(default_factory=set)


def _calls() -> Iterator[tuple[str, str, str]]:
    """Yield method, path and response type of every call of the client's stable APIs."""
    folder = Path(client_api.__file__).parent
    for source in sorted(folder.glob("*_v[0-9]_api.py")):
        answered = ""
        for match in _CALL.finditer(source.read_text(encoding="utf-8")):
            model, method, path = match.groups()
            if model:
                answered = model
            else:
                yield method, path, answered


def _kind_of(model: str, group: str) -> str:
    """Return the kind behind a model's name: `V1Node` is Node, `CoreV1Event` is Event."""
    kind = re.sub(r"^[A-Z][a-z]+(?=V\d)", "", model) if not re.match(r"^V\d", model) else model
    kind = re.sub(r"^V\d+", "", kind)
    if not kind:
        raise ValueError(f"model {model} of group {group!r} names no kind")
    return kind


@cache
def builtin_resources() -> tuple[Resource, ...]:
    """Return every stable resource of the official client's Kubernetes release, sorted by path."""
    facts = _facts()
    found: dict[tuple[str, str, str], _Found] = {}
    for method, path, model in _calls():
        match = _PATH.match(path)
        if not match:
            continue
        entry = found.setdefault((match["group"] or "", match["version"], match["plural"]), _Found())
        entry.namespaced |= bool(match["namespaced"])
        if match["sub"]:
            entry.subresources.add(match["sub"])
        elif method == "POST":
            entry.model = model
        elif method == "DELETE" and match["named"]:
            entry.stored = True
    return tuple(
        _resource(group, version, plural, entry, facts)
        for (group, version, plural), entry in sorted(found.items())
        if entry.model and f"{plural}.{group}/{version}" not in facts["left-out"]
    )


def _resource(group: str, version: str, plural: str, found: _Found, facts: Mapping[str, Any]) -> Resource:
    kind = _kind_of(found.model, group)
    return Resource(
        group,
        version,
        plural,
        kind,
        namespaced=found.namespaced,
        model=found.model,
        subresources=frozenset(found.subresources),
        stored=found.stored,
        singular=kind.lower(),
        short_names=tuple(facts["short-names"].get(plural, ())),
        categories=tuple(name for name, members in facts["categories"].items() if plural in members),
    )


def _facts() -> Mapping[str, Any]:
    """Return what the client's source code does not contain: short names, categories and exclusions."""
    facts: Mapping[str, Any] = read_yaml("builtin.yaml", __package__)
    return facts
