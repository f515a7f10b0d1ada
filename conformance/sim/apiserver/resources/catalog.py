"""Everything that the server serves at this moment: the built-in resources and those that definitions add."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from conformance.sim.apiserver.objects import Event, Object, ResourceKey, name_of
from conformance.sim.apiserver.resources.builtin import Resource, builtin_resources
from conformance.sim.apiserver.resources.definitions import Defined, defined
from conformance.sim.apiserver.resources.kinds import CUSTOM, Kind, kind_of
from conformance.sim.apiserver.resources.schema import Schema, schema_of
from conformance.sim.apiserver.storage.store import Store


@dataclass(frozen=True)
class Served:
    """One resource as it is served.

    Attributes:
        resource: Names, scope and subresources.
        kind: What is particular to it.
        custom: What a definition says about it; None for a built-in resource.
    """

    resource: Resource
    kind: Kind
    custom: Defined | None = field(default=None, repr=False)

    @cached_property
    def schema(self) -> Schema:
        """Shape of its objects."""
        if self.custom:
            return self.custom.schema
        return schema_of(str(self.resource.model))

    @property
    def has_status(self) -> bool:
        """Whether its status is written through a path of its own."""
        return "status" in self.resource.subresources

    @property
    def selectable(self) -> tuple[str, ...]:
        """Fields that a definition lets it be selected by."""
        return self.custom.selectable if self.custom else ()

    @property
    def columns(self) -> tuple[Mapping[str, Any], ...]:
        """Printer columns of a definition."""
        return self.custom.columns if self.custom else ()


class Catalog:
    """Finds what is served by group, version and plural name.

    Attributes:
        changes: How often a definition has changed what is served.
    """

    def __init__(self) -> None:
        self.changes = 0
        self._served: dict[tuple[str, str, str], Served] = {}
        self._by_definition: dict[str, list[tuple[str, str, str]]] = {}
        for resource in builtin_resources():
            self._served[_place(resource)] = Served(resource, kind_of(resource.key))

    def __iter__(self) -> Iterator[Served]:
        return iter(tuple(self._served.values()))

    def find(self, group: str, version: str, plural: str) -> Served | None:
        """Return what is served under these names, None where nothing is."""
        return self._served.get((group, version, plural))

    def builtin(self, group: str, plural: str) -> Served:
        """Return a built-in resource; raises StopIteration where there is none."""
        return next(served for served in self if served.resource.key == (group, plural))

    def stored(self) -> Iterator[Served]:
        """Yield one version of every resource whose objects are stored."""
        seen: set[tuple[str, str]] = set()
        for served in self:
            if served.resource.stored and served.resource.key not in seen:
                seen.add(served.resource.key)
                yield served

    def define(self, definition: Object) -> None:
        """Serve what a new or changed CustomResourceDefinition defines."""
        self.withdraw(definition)
        places = self._by_definition.setdefault(name_of(definition), [])
        for item in defined(definition):
            places.append(_place(item.resource))
            self._served[places[-1]] = Served(item.resource, CUSTOM, item)

    def withdraw(self, definition: Object) -> None:
        """Serve no longer what a CustomResourceDefinition defined."""
        self.changes += 1
        for place in self._by_definition.pop(name_of(definition), ()):
            self._served.pop(place, None)


def _place(resource: Resource) -> tuple[str, str, str]:
    return resource.group, resource.version, resource.plural


_DEFINITIONS: ResourceKey = ("apiextensions.k8s.io", "customresourcedefinitions")


class CustomResources:
    """Serves a custom resource from the creation of its definition to its deletion, at once and not some time later."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog
        store.collection(_DEFINITIONS).listen(self._changed)

    def _changed(self, event: Event) -> None:
        definition = event.record.data
        if event.type != "DELETED":
            self._catalog.define(definition)
            return
        for key in {item.resource.key for item in defined(definition)}:
            collection = self._store.collection(key)
            for record in collection.records():
                collection.remove(record.key)
        self._catalog.withdraw(definition)
