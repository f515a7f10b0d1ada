"""The catalog of what the server currently serves: built-in resources and custom ones."""

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

_DEFINITIONS: ResourceKey = ("apiextensions.k8s.io", "customresourcedefinitions")


@dataclass(frozen=True)
class Served:
    """One version of a resource, as it is served.

    Attributes:
        resource: Names, scope and subresources.
        kind: Behaviour that is specific to it.
        custom: Its version in a CustomResourceDefinition; None for a built-in resource.
    """

    resource: Resource
    kind: Kind
    custom: Defined | None = field(default=None, repr=False)

    @cached_property
    def schema(self) -> Schema:
        """Schema of its objects."""
        if self.custom:
            return self.custom.schema
        return schema_of(str(self.resource.model))

    @property
    def has_status(self) -> bool:
        """Whether its status is written through the `status` subresource."""
        return "status" in self.resource.subresources

    @property
    def selectable(self) -> tuple[str, ...]:
        """`selectableFields` of a custom resource."""
        return self.custom.selectable if self.custom else ()

    @property
    def columns(self) -> tuple[Mapping[str, Any], ...]:
        """`additionalPrinterColumns` of a custom resource."""
        return self.custom.columns if self.custom else ()


class Catalog:
    """Finds resources by group, version and plural name.

    Attributes:
        changes: Number of times that a CustomResourceDefinition has changed what is served.
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
        """Return the resource with these names; None if it is not served."""
        return self._served.get((group, version, plural))

    def builtin(self, group: str, plural: str) -> Served:
        """Return a built-in resource; raises StopIteration where there is none."""
        return next(served for served in self if served.resource.key == (group, plural))

    def stored(self) -> Iterator[Served]:
        """Yield every resource whose objects are stored, in one version each."""
        seen: set[tuple[str, str]] = set()
        for served in self:
            if served.resource.stored and served.resource.key not in seen:
                seen.add(served.resource.key)
                yield served

    def define(self, definition: Object) -> None:
        """Serve the resources of a new or changed CustomResourceDefinition."""
        self.withdraw(definition)
        places = self._by_definition.setdefault(name_of(definition), [])
        for item in defined(definition):
            places.append(_place(item.resource))
            self._served[places[-1]] = Served(item.resource, CUSTOM, item)

    def withdraw(self, definition: Object) -> None:
        """Stop serving the resources of a CustomResourceDefinition."""
        self.changes += 1
        for place in self._by_definition.pop(name_of(definition), ()):
            self._served.pop(place, None)


def _place(resource: Resource) -> tuple[str, str, str]:
    return resource.group, resource.version, resource.plural


class CustomResources:
    """Keeps the catalog in step with the stored CustomResourceDefinitions.

    Unlike a real server, it serves a new custom resource at once.
    """

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
