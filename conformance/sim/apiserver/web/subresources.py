"""Subresources other than `status`: binding, eviction, scale, token, log, exec, ..."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from http import HTTPStatus

from aiohttp import web

from conformance.sim.apiserver.controllers import disruption_budgets_of, with_one_disruption_less
from conformance.sim.apiserver.errors import bad_request, conflict, internal, method_not_allowed, too_many_requests
from conformance.sim.apiserver.objects import Object, look, name_of, replaced
from conformance.sim.apiserver.web.access import Access
from conformance.sim.apiserver.web.answers import success, value_answer
from conformance.sim.apiserver.web.kubelet import Kubelets
from conformance.sim.apiserver.web.request import Target, delete_options, media_of, read_object, read_patch
from conformance.sim.apiserver.writing.deletion import delete
from conformance.sim.apiserver.writing.patches import merge
from conformance.sim.apiserver.writing.registry import Registry, WriteOptions
from conformance.spec.times import api_time

Handler = Callable[[web.BaseRequest, Target], Awaitable[web.StreamResponse]]
_NO_OPTIONS = WriteOptions()
_TOKEN_SECONDS = 3600


class Subresources:
    """Handles requests for subresources."""

    def __init__(self, registry: Registry, kubelets: Kubelets, access: Access) -> None:
        self._registry = registry
        self._kubelets = kubelets
        self._access = access

    async def answer(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """Return the response to a request; raises ApiError if it is rejected or the verb is not supported."""
        handlers: Mapping[tuple[str, str], Handler] = {
            ("pods", "log"): self._container,
            ("pods", "exec"): self._container,
            ("pods", "attach"): self._container,
            ("pods", "portforward"): self._container,
            ("pods", "binding"): self._binding,
            ("pods", "eviction"): self._eviction,
            ("nodes", "proxy"): self._node_proxy,
            ("serviceaccounts", "token"): self._token,
            ("namespaces", "finalize"): self._finalize,
        }
        handler = handlers.get((target.served.resource.plural, target.subresource))
        if target.subresource == "scale":
            handler = self._scale
        if handler is None:
            raise method_not_allowed()
        return await handler(request, target)

    async def _container(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        pod = self._registry.get(target.served, target.namespace, target.name).data
        return await self._kubelets.pod(request, pod, target.subresource)

    async def _node_proxy(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        url = self._kubelets.address_of(target.name).joinpath(target.rest).with_query(request.query)
        return await self._kubelets.forward(request, url, request.method)

    async def _binding(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        body = read_object(await request.read(), media_of(request))
        node = look(body, "target", "name", default="")
        pod = self._registry.get(target.served, target.namespace, target.name).data
        if not node:
            raise bad_request("target.name: Required value")
        if look(pod, "metadata", "deletionTimestamp"):
            why = f"pod {target.name} is being deleted, cannot be assigned to a host"
            raise conflict("pods/binding", target.name, why)
        if look(pod, "spec", "nodeName"):
            why = f'pod {target.name} is already assigned to node "{pod["spec"]["nodeName"]}"'
            raise conflict("pods/binding", target.name, why)
        bound = replaced(pod, node, "spec", "nodeName")
        annotations = look(body, "metadata", "annotations", default={})
        if annotations:
            merged = {**look(pod, "metadata", "annotations", default={}), **annotations}
            bound = replaced(bound, merged, "metadata", "annotations")
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": api_time(self._registry.now())}
        others = [c for c in look(pod, "status", "conditions", default=[]) if c.get("type") != "PodScheduled"]
        bound = replaced(bound, [*others, scheduled], "status", "conditions")
        self._registry.collection(target.served).put(bound)
        return _created()

    async def _eviction(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        body = read_object(await request.read(), media_of(request))
        options = delete_options(look(body, "deleteOptions", default={}), request.query)
        record = self._registry.get(target.served, target.namespace, target.name)
        budgets = disruption_budgets_of(self._registry, record.data)
        if len(budgets) > 1:
            raise internal("This pod has more than one PodDisruptionBudget, which eviction does not support.")
        for budget in budgets:
            if look(budget, "status", "disruptionsAllowed", default=0) < 1:
                cause = f"The disruption budget {name_of(budget)} does not allow the eviction"
                raise too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.", cause)
            if not options.dry_run:
                served = self._registry.catalog.builtin("policy", "poddisruptionbudgets")
                self._registry.collection(served).put(with_one_disruption_less(budget))
        if not options.dry_run:
            record = self._registry.collection(target.served).put(self._disrupted(record.data))
        delete(self._registry, target.served, record, options)
        return _created()

    def _disrupted(self, pod: Object) -> Object:
        """Add the condition by which others see why a pod goes (kubernetes v1.36, pkg/registry/core/pod/storage)."""
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
            "lastTransitionTime": api_time(self._registry.now()),
        }
        others = [it for it in look(pod, "status", "conditions", default=[]) if it.get("type") != condition["type"]]
        return replaced(pod, [*others, condition], "status", "conditions")

    async def _scale(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        body = await request.read()
        record = self._registry.get(target.served, target.namespace, target.name)
        paths = dict(target.served.custom.scale) if target.served.custom else {}
        wanted = paths.get("specReplicasPath", ".spec.replicas").strip(".").split(".")
        seen = paths.get("statusReplicasPath", ".status.replicas").strip(".").split(".")
        scale = _scale_of(record.data, wanted, seen)
        if request.method == "GET":
            return value_answer(scale)
        if request.method == "PATCH":
            scale = merge(scale, read_patch(body, media_of(request)))
        else:
            scale = read_object(body, media_of(request))
        replicas = look(scale, "spec", "replicas", default=0)
        changed = replaced(record.data, replicas, *wanted)
        written = self._registry.update(target.served, record, changed, _NO_OPTIONS)
        return value_answer(_scale_of(written.record.data, wanted, seen))

    async def _token(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        body = read_object(await request.read(), media_of(request))
        self._registry.get(target.served, target.namespace, target.name)
        token = self._access.new_token(f"system:serviceaccount:{target.namespace}:{target.name}")
        seconds = look(body, "spec", "expirationSeconds", default=_TOKEN_SECONDS)
        expires = api_time(self._registry.now() + timedelta(seconds=seconds))
        status = {"token": token, "expirationTimestamp": expires}
        spec = {"audiences": [], "expirationSeconds": seconds, **look(body, "spec", default={})}
        head = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"}
        return value_answer({**head, "spec": spec, "status": status}, HTTPStatus.CREATED)

    async def _finalize(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """Store `spec.finalizers` of a namespace."""
        body = read_object(await request.read(), media_of(request))
        record = self._registry.get(target.served, "", target.name)
        finalizers = look(body, "spec", "finalizers", default=[])
        changed = replaced(record.data, finalizers, "spec", "finalizers")
        return value_answer(self._registry.collection(target.served).put(changed).data)


def _created() -> web.Response:
    answer = success()
    answer.set_status(HTTPStatus.CREATED)
    return answer


def _scale_of(obj: Object, wanted: list[str], seen: list[str]) -> Object:
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: meta[name] for name in kept if name in meta},
        "spec": {"replicas": look(obj, *wanted, default=0)},
        "status": {"replicas": look(obj, *seen, default=0)},
    }
