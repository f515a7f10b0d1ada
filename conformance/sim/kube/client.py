"""A minimal asynchronous Kubernetes client for the simulator's components."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from conformance.sim.kube.config import Connection, load_connection
from conformance.sim.kube.errors import KubeError
from conformance.sim.kube.informer import Informer
from conformance.sim.kube.resources import PODS, SERVICE_ACCOUNTS, Object, ObjectList, Resource

REQUEST_SECONDS: Final = 60
"""Real seconds after which a request other than a watch fails."""
CONNECTIONS: Final = 8
"""Maximum number of connections for requests; watches come on top. More would only queue in the server."""


class PatchKind(StrEnum):
    """Content types of patches."""

    MERGE = "application/merge-patch+json"
    """RFC 7396: merges maps, replaces lists; null deletes a field."""
    STRATEGIC = "application/strategic-merge-patch+json"
    """As MERGE, but merges lists by their merge keys; only for built-in kinds."""
    JSON = "application/json-patch+json"
    """RFC 6902: a list of operations."""
    APPLY = "application/apply-patch+yaml"
    """Server-side apply; needs `field_manager`."""


class Kube:
    """A client of one API server with the name of one component.

    Clients made by `named` share connections and informers. Requests raise
    `KubeError` where the server refuses, `aiohttp.ClientError` or `TimeoutError` where it does not answer.
    """

    def __init__(self, connection: Connection, user_agent: str = "mig-sim") -> None:
        self.user_agent = user_agent
        self._connection = connection
        self._requests = self._session(CONNECTIONS, aiohttp.ClientTimeout(total=REQUEST_SECONDS))
        self._watches = self._session(0, aiohttp.ClientTimeout(total=None))
        self._informers: dict[tuple[Resource, str | None, str | None, str | None], Informer] = {}

    @classmethod
    async def connect(cls, kubeconfig: Path, context: str | None = None, user_agent: str = "mig-sim") -> Kube:
        """Return a client for a kubeconfig; `context` None means the current one. Sends no request yet."""
        return cls(load_connection(kubeconfig, context), user_agent)

    def named(self, user_agent: str) -> Kube:
        """Return the same client with another name, which becomes the field manager of its writes."""
        other = copy.copy(self)
        other.user_agent = user_agent
        return other

    async def close(self) -> None:
        """Stop all informers and close all connections."""
        for informer in self._informers.values():
            await informer.stop()
        self._informers.clear()
        await self._requests.close()
        await self._watches.close()

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """Read one object from the server."""
        return await self._call("GET", resource.path(namespace, name))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> ObjectList:
        """List the objects of a namespace; None for the whole cluster."""
        query = _query(labelSelector=label_selector, fieldSelector=field_selector)
        answer = await self._call("GET", resource.path(namespace), query)
        return ObjectList(answer.get("items") or [], answer["metadata"].get("resourceVersion", ""))

    async def create(self, resource: Resource, body: Object, namespace: str | None = None) -> Object:
        """Create an object; the namespace defaults to that of its metadata."""
        namespace = namespace or body["metadata"].get("namespace")
        typed = {"apiVersion": resource.api_version, "kind": resource.kind} | body
        return await self._call("POST", resource.path(namespace), {"fieldManager": self.user_agent}, typed)

    async def replace(self, resource: Resource, body: Object, subresource: str | None = None) -> Object:
        """Replace an object; an outdated `metadata.resourceVersion` is a conflict."""
        meta = body["metadata"]
        path = resource.path(meta.get("namespace"), meta["name"], subresource)
        typed = {"apiVersion": resource.api_version, "kind": resource.kind} | body
        return await self._call("PUT", path, {"fieldManager": self.user_agent}, typed)

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: Object | Sequence[Object],
        namespace: str | None = None,
        subresource: str | None = None,
        kind: PatchKind = PatchKind.MERGE,
        field_manager: str | None = None,
    ) -> Object:
        """Patch an object; `field_manager` None means this client's name. APPLY forces conflicts."""
        query = {"fieldManager": field_manager or self.user_agent}
        if kind is PatchKind.APPLY:
            query["force"] = "true"
        return await self._call("PATCH", resource.path(namespace, name, subresource), query, body, kind)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        grace_seconds: int | None = None,
        uid: str | None = None,
    ) -> None:
        """Delete an object.

        Args:
            resource: Its kind.
            name: Its name.
            namespace: Its namespace; None for cluster-scoped kinds.
            grace_seconds: Grace period of a pod; None for the pod's own, 0 removes the object at once.
            uid: Precondition: uid of the object. If a newer object has the name, the request is a conflict.
        """
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if uid:
            options["preconditions"] = {"uid": uid}
        await self._call("DELETE", resource.path(namespace, name), None, options)

    async def account_token(self, namespace: str, name: str) -> str:
        """Return a new token of a service account, valid for an hour."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = await self._call("POST", SERVICE_ACCOUNTS.path(namespace, name, "token"), None, body)
        return str(answer["status"]["token"])

    async def bind(self, namespace: str, name: str, node: str, uid: str) -> None:
        """Bind a pod to a node."""
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        binding = {"metadata": {"name": name, "namespace": namespace, "uid": uid}, "target": target}
        body = {"apiVersion": "v1", "kind": "Binding"} | binding
        await self._call("POST", PODS.path(namespace, name, "binding"), None, body)

    def informer(
        self,
        resource: Resource,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Informer:
        """Return the shared, running informer for these objects; the same arguments return the same informer."""
        scope = (resource, namespace, label_selector, field_selector)
        if scope not in self._informers:
            self._informers[scope] = Informer(self, *scope)
            self._informers[scope].start()
        return self._informers[scope]

    @asynccontextmanager
    async def open_watch(
        self, resource: Resource, namespace: str | None, query: dict[str, str]
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """Open a watch and yield its stream: one event per line."""
        url = self._connection.url + resource.path(namespace)
        headers = {"User-Agent": self.user_agent}
        async with self._watches.get(url, params={"watch": "true"} | query, headers=headers) as answer:
            if answer.status != HTTPStatus.OK:
                raise KubeError.from_answer(answer.status, await answer.text())
            yield answer.content

    async def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Object:
        headers = {"User-Agent": self.user_agent}
        data = b""
        if body is not None:
            headers["Content-Type"] = str(content_type)
            data = orjson.dumps(body)
        status, text = await self._send(method, path, query or {}, headers, data)
        if status >= HTTPStatus.BAD_REQUEST:
            raise KubeError.from_answer(status, text.decode())
        parsed: Object = orjson.loads(text)
        return parsed

    async def _send(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], data: bytes
    ) -> tuple[int, bytes]:
        if self._connection.call is not None:
            return await self._connection.call(method, path, query, headers, data)
        url = self._connection.url + path
        async with self._requests.request(method, url, params=query, data=data or None, headers=headers) as answer:
            return answer.status, await answer.read()

    def _session(self, connections: int, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
        tls = self._connection.tls
        connector = aiohttp.TCPConnector(limit=connections, ssl=tls if tls is not None else True)
        return aiohttp.ClientSession(
            connector=connector, headers=self._connection.headers, timeout=timeout, skip_auto_headers=("Accept",)
        )


def _query(**parameters: str | None) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if value is not None}
