"""The life of namespaces: what each contains from the start, and how it is emptied before it goes.

Does what the namespace, service account and root CA controllers of kube-controller-manager v1.36 do.
"""

from __future__ import annotations

from conformance.sim.apiserver.checks import WriteOptions
from conformance.sim.apiserver.deletion import DeleteOptions, delete
from conformance.sim.apiserver.objects import Object, look
from conformance.sim.apiserver.records import Event, ResourceKey
from conformance.sim.apiserver.registry import Registry
from conformance.sim.apiserver.work import WorkQueue

_NAMESPACES: ResourceKey = ("", "namespaces")
INITIAL = ("default", "kube-node-lease", "kube-public", "kube-system")
"""Namespaces that every cluster has."""
_WRITE = WriteOptions(field_manager="kube-controller-manager")


class NamespaceController:
    """Fills new namespaces and empties those that are being deleted.

    Args:
        registry: The objects.
        certificate: Certificate of the server's authority (PEM), for the ConfigMap `kube-root-ca.crt`.
    """

    def __init__(self, registry: Registry, certificate: str) -> None:
        self._registry = registry
        self._contents: tuple[tuple[str, Object], ...] = (
            ("serviceaccounts", {"metadata": {"name": "default"}}),
            ("configmaps", {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": certificate}}),
        )
        self.queue = WorkQueue[str](self._look_at)
        registry.store.listen(self._changed)

    def _changed(self, resource: ResourceKey, event: Event) -> None:
        namespace, name = event.record.key
        if resource == _NAMESPACES and event.type != "DELETED":
            self.queue.add(name)
        elif event.type == "DELETED" and namespace:
            self.queue.add(namespace)

    def _look_at(self, name: str) -> None:
        record = self._registry.store.collection(_NAMESPACES).get(("", name))
        if record is None:
            return
        if look(record.data, "metadata", "deletionTimestamp"):
            self._empty(name)
        else:
            self._fill(name)

    def _fill(self, namespace: str) -> None:
        for plural, body in self._contents:
            served = self._registry.catalog.builtin("", plural)
            if self._registry.collection(served).get((namespace, body["metadata"]["name"])) is None:
                self._registry.create(served, namespace, body, _WRITE)

    def _empty(self, namespace: str) -> None:
        """Delete all that is in a namespace, and the namespace itself once nothing is left in it."""
        for served in self._registry.catalog.stored():
            if served.resource.namespaced:
                for record in self._registry.collection(served).records(namespace):
                    delete(self._registry, served, record, DeleteOptions())
        left = any(
            self._registry.collection(served).records(namespace)
            for served in self._registry.catalog.stored()
            if served.resource.namespaced
        )
        namespaces = self._registry.store.collection(_NAMESPACES)
        own = namespaces.get(("", namespace))
        if own and not left and not look(own.data, "metadata", "finalizers"):
            namespaces.remove(own.key)
