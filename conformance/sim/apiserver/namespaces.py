"""The controller of namespaces, which runs beside the API server.

It behaves like its counterpart in kube-controller-manager v1.36, but reads and writes the store directly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from conformance.sim.apiserver.controllers import work_queue
from conformance.sim.apiserver.objects import Event, Object, ResourceKey, look, replaced
from conformance.sim.apiserver.writing.deletion import DeleteOptions, delete
from conformance.sim.apiserver.writing.registry import Registry, WriteOptions
from conformance.spec.times import api_time

INITIAL = ("default", "kube-node-lease", "kube-public", "kube-system")
"""Namespaces that every cluster has."""
_NAMESPACES: ResourceKey = ("", "namespaces")
_FILLING = WriteOptions(field_manager="kube-controller-manager")
_NO_TROUBLE: tuple[Object, ...] = (
    {
        "type": "NamespaceDeletionDiscoveryFailure",
        "status": "False",
        "reason": "ResourcesDiscovered",
        "message": "All resources successfully discovered",
    },
    {
        "type": "NamespaceDeletionGroupVersionParsingFailure",
        "status": "False",
        "reason": "ParsedGroupVersions",
        "message": "All legacy kube types successfully parsed",
    },
    {
        "type": "NamespaceDeletionContentFailure",
        "status": "False",
        "reason": "ContentDeleted",
        "message": "All content successfully deleted, may be waiting on finalization",
    },
)
_REASONS: Mapping[str, str] = {
    "NamespaceContentRemaining": "SomeResourcesRemain",
    "NamespaceFinalizersRemaining": "SomeFinalizersRemain",
}
_NOTHING_REMAINS: Object = {"reason": "ContentRemoved", "message": "All content successfully removed"}
_NOTHING_KEEPS: Object = {
    "reason": "ContentHasNoFinalizers",
    "message": "All content-preserving finalizers finished",
}


class NamespaceController:
    """Fills new namespaces and empties namespaces that are being deleted.

    Does the work of the namespace, service account and root CA controllers.

    Args:
        registry: Access to all objects.
        certificate: Certificate of the server's authority (PEM), for the ConfigMap `kube-root-ca.crt`.
    """

    def __init__(self, registry: Registry, certificate: str) -> None:
        self._registry = registry
        self._contents: tuple[tuple[str, Object], ...] = (
            ("serviceaccounts", {"metadata": {"name": "default"}}),
            ("configmaps", {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": certificate}}),
        )
        self.queue = work_queue(self._reconcile)
        registry.store.listen(self._changed)

    def _changed(self, resource: ResourceKey, event: Event) -> None:
        namespace, name = event.record.key
        if resource == _NAMESPACES and event.type != "DELETED":
            self.queue.add(name)
        elif event.type == "DELETED" and namespace:
            self.queue.add(namespace)

    def _reconcile(self, name: str) -> None:
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
                self._registry.create(served, namespace, body, _FILLING)

    def _empty(self, namespace: str) -> None:
        """Delete everything in a namespace, then the namespace itself once it is empty."""
        for served in self._registry.catalog.stored():
            if served.resource.namespaced:
                for record in self._registry.collection(served).records(namespace):
                    delete(self._registry, served, record, DeleteOptions())
        left = {
            served.resource.key: [record.data for record in records]
            for served in self._registry.catalog.stored()
            if served.resource.namespaced and (records := self._registry.collection(served).records(namespace))
        }
        namespaces = self._registry.store.collection(_NAMESPACES)
        own = namespaces.get(("", namespace))
        if own is None:
            return
        if not left and not look(own.data, "metadata", "finalizers"):
            namespaces.remove(own.key)
        elif (told := _with_conditions(own.data, left, self._registry.now())) != own.data:
            namespaces.put(told)


def _with_conditions(namespace: Object, left: Mapping[ResourceKey, Sequence[Object]], now: datetime) -> Object:
    """Return a namespace that tells what is left in it, as kube-controller-manager does.

    Source: kubernetes/kubernetes v1.36, pkg/controller/namespace/deletion/status_condition_utils.go.
    """
    remaining = [f"{plural}.{group} has {len(found)} resource instances" for (group, plural), found in left.items()]
    kept = Counter(
        name for found in left.values() for obj in found for name in look(obj, "metadata", "finalizers") or ()
    )
    finalizers = [f"{name} in {count} resource instances" for name, count in kept.items()]
    told = (
        _condition("NamespaceContentRemaining", remaining, "Some resources are remaining", _NOTHING_REMAINS),
        _condition(
            "NamespaceFinalizersRemaining",
            finalizers,
            "Some content in the namespace has finalizers remaining",
            _NOTHING_KEEPS,
        ),
    )
    before = {one["type"]: one for one in look(namespace, "status", "conditions", default=[])}
    conditions = []
    for one in (*_NO_TROUBLE, *told):
        was = before.get(one["type"], {})
        since = was["lastTransitionTime"] if was.get("status") == one["status"] else api_time(now)
        conditions.append({**one, "lastTransitionTime": since})
    return replaced(namespace, conditions, "status", "conditions")


def _condition(kind: str, found: Sequence[str], says: str, otherwise: Object) -> Object:
    if not found:
        return {"type": kind, "status": "False", **otherwise}
    return {"type": kind, "status": "True", "reason": _REASONS[kind], "message": f"{says}: {', '.join(sorted(found))}"}
