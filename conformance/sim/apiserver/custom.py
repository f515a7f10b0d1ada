"""Keeps what is served in step with the CustomResourceDefinitions that are stored."""

from __future__ import annotations

from conformance.sim.apiserver.definitions import defined
from conformance.sim.apiserver.records import Event, ResourceKey
from conformance.sim.apiserver.registry import Registry

_DEFINITIONS: ResourceKey = ("apiextensions.k8s.io", "customresourcedefinitions")


class CustomResources:
    """Serves a custom resource from the creation of its definition to its deletion, at once and not some time later."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        registry.store.collection(_DEFINITIONS).listen(self._changed)

    def _changed(self, event: Event) -> None:
        definition = event.record.data
        if event.type != "DELETED":
            self._registry.catalog.define(definition)
            return
        for key in {item.resource.key for item in defined(definition)}:
            collection = self._registry.store.collection(key)
            for record in collection.records():
                collection.remove(record.key)
        self._registry.catalog.withdraw(definition)
