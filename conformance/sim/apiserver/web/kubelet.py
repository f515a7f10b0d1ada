"""Passing requests about a pod's containers on to the kubelet of its node, as a real API server does.

The kubelet is where the node's status says: an address and `daemonEndpoints.kubeletEndpoint.Port`, over HTTPS, whatever
certificate it shows. Exec, attach and port-forward are WebSocket streams, passed on frame by frame.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from http import HTTPStatus

import aiohttp
from aiohttp import web
from yarl import URL

from conformance.sim.apiserver.errors import ApiError, bad_request, internal, not_found
from conformance.sim.apiserver.objects import Object, look, name_of, namespace_of
from conformance.sim.apiserver.storage.store import Collection

_ADDRESS_TYPES = ("InternalIP", "ExternalIP", "Hostname")
_KUBELET_NAMES = {"stdin": "input", "stdout": "output", "stderr": "error"}
_KUBELET_PATHS = {"log": "containerLogs", "exec": "exec", "attach": "attach", "portforward": "portForward"}
_STREAM_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io", "v3.channel.k8s.io", "channel.k8s.io")
_TUNNEL = "SPDY/3.1+portforward.k8s.io"


class Kubelets:
    """The way to the kubelets of all nodes.

    Args:
        nodes: The Node objects.
    """

    def __init__(self, nodes: Collection) -> None:
        self._nodes = nodes
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session:
            await self._session.close()

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            unverified = ssl.create_default_context()
            unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
            connector = aiohttp.TCPConnector(ssl=unverified, limit=0)
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        return self._session

    def address_of(self, node: str) -> URL:
        """Return where the kubelet of a node listens; raises ApiError where there is no such node or address."""
        record = self._nodes.get(("", node))
        if record is None:
            raise not_found("nodes", node)
        port = look(record.data, "status", "daemonEndpoints", "kubeletEndpoint", "Port", default=0)
        addresses = {item["type"]: item["address"] for item in look(record.data, "status", "addresses", default=[])}
        host = next((addresses[kind] for kind in _ADDRESS_TYPES if kind in addresses), None)
        if host is None or not port:
            raise internal(f"no preferred addresses found; known addresses: {sorted(addresses)}, port {port}")
        return URL.build(scheme="https", host=host, port=port)

    async def pod(self, request: web.BaseRequest, pod: Object, action: str) -> web.StreamResponse:
        """Answer a request for `log`, `exec`, `attach` or `portforward` of a pod.

        Raises:
            ApiError: 400 where the pod has no node or no such container, 500 where its kubelet cannot be reached.
        """
        node = look(pod, "spec", "nodeName")
        container = "" if action == "portforward" else container_of(pod, request.query.get("container", ""))
        if not node:
            if action == "log":
                return web.Response(status=HTTPStatus.NO_CONTENT)
            raise bad_request(f"pod {name_of(pod)} does not have a host assigned")
        path = (_KUBELET_PATHS[action], namespace_of(pod), name_of(pod), *filter(None, [container]))
        url = self.address_of(node).joinpath(*path).with_query(_kubelet_query(request, action))
        if action == "log":
            return await self.forward(request, url, "GET")
        return await self._stream(request, url)

    async def forward(self, request: web.BaseRequest, url: URL, method: str) -> web.StreamResponse:
        """Pass a plain request on and stream the answer back."""
        body = await request.read()
        try:
            async with self._client().request(method, url, data=body or None) as upstream:
                if upstream.status >= HTTPStatus.BAD_REQUEST:
                    raise _refused(upstream.status, await upstream.text())
                answer = web.StreamResponse(status=upstream.status)
                answer.content_type = upstream.content_type
                await answer.prepare(request)
                async for chunk in upstream.content.iter_any():
                    await answer.write(chunk)
                return answer
        except aiohttp.ClientConnectionError as failure:
            raise internal(f"{method} {url}: {failure}") from failure

    async def _stream(self, request: web.BaseRequest, url: URL) -> web.StreamResponse:
        """Pass a WebSocket on; the kubelet decides about the protocol among those that the client offers."""
        offered = [item.strip() for item in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        known = [name for name in offered if name in (*_STREAM_PROTOCOLS, _TUNNEL)]
        if request.headers.get("Upgrade", "").lower() != "websocket" or not known:
            raise bad_request(f"you must use one of the WebSocket protocols {', '.join(_STREAM_PROTOCOLS)}")
        try:
            upstream = await self._client().ws_connect(url, protocols=known, max_msg_size=0)
        except aiohttp.WSServerHandshakeError as refused:
            raise _refused(refused.status, refused.message) from refused
        except aiohttp.ClientConnectionError as failure:
            raise internal(f"error dialing backend: {failure}") from failure
        async with upstream:
            chosen: Sequence[str] = (upstream.protocol,) if upstream.protocol else ()
            answer = web.WebSocketResponse(protocols=chosen, max_msg_size=0)
            await answer.prepare(request)
            await _pump(answer, upstream)
        return answer


async def _pump(client: web.WebSocketResponse, kubelet: aiohttp.ClientWebSocketResponse) -> None:
    """Carry frames both ways until one side closes, then close the other."""

    async def carry(source: _Socket, sink: _Socket) -> None:
        async for message in source:
            if message.type == aiohttp.WSMsgType.BINARY:
                await sink.send_bytes(message.data)
            elif message.type == aiohttp.WSMsgType.TEXT:
                await sink.send_str(message.data)
        await sink.close()

    directions = [asyncio.create_task(carry(client, kubelet)), asyncio.create_task(carry(kubelet, client))]
    try:
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for direction in directions:
            direction.cancel()
        await asyncio.gather(*directions, return_exceptions=True)


_Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


def container_of(pod: Object, wanted: str) -> str:
    """Return the name of the container that a request means; raises ApiError (400) where that is not clear."""
    lists = ("containers", "initContainers", "ephemeralContainers")
    names = [item["name"] for kind in lists for item in look(pod, "spec", kind, default=[])]
    if wanted:
        if wanted not in names:
            raise bad_request(f"container {wanted} is not valid for pod {name_of(pod)}")
        return wanted
    own = [item["name"] for item in pod["spec"]["containers"]]
    if len(own) != 1:
        listed = " ".join(own)
        message = f"a container name must be specified for pod {name_of(pod)}, choose one of: [{listed}]"
        raise bad_request(message)
    return str(own[0])


def _kubelet_query(request: web.BaseRequest, action: str) -> list[tuple[str, str]]:
    """Return the query as the kubelet reads it: streams are switched on by `input=1` and the like."""
    kept = [(name, value) for name, value in request.query.items() if name != "container"]
    if action == "log":
        return kept
    streams = (*_KUBELET_NAMES, "tty")
    return [
        (_KUBELET_NAMES.get(name, name), "1" if name in streams else value)
        for name, value in kept
        if name not in streams or value in ("true", "1")
    ]


def _refused(status: int, text: str) -> ApiError:
    if status == HTTPStatus.NOT_FOUND:
        return ApiError(status, "NotFound", text)
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ApiError(status, "BadRequest", text)
    return ApiError(status, "InternalError", text)
