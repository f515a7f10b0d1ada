"""The server: starts all parts and routes each request to the part that handles it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TextIO, cast

from aiohttp import web

from conformance.sim.apiserver.controllers import DisruptionController, GarbageCollector
from conformance.sim.apiserver.errors import ApiError, internal, unavailable
from conformance.sim.apiserver.namespaces import INITIAL, NamespaceController
from conformance.sim.apiserver.objects import Object
from conformance.sim.apiserver.resources.catalog import Catalog, CustomResources
from conformance.sim.apiserver.resources.pods import SYSTEM_PRIORITIES
from conformance.sim.apiserver.storage.store import Store
from conformance.sim.apiserver.storage.watching import Settings, Watches
from conformance.sim.apiserver.web import discovery
from conformance.sim.apiserver.web.access import ADMIN, HOST, Access, Right, review
from conformance.sim.apiserver.web.answers import refusal, value_answer
from conformance.sim.apiserver.web.kubelet import Kubelets
from conformance.sim.apiserver.web.openapi import OpenApi
from conformance.sim.apiserver.web.request import LocalRequest, target_of
from conformance.sim.apiserver.web.subresources import Subresources
from conformance.sim.apiserver.web.verbs import Verbs
from conformance.sim.apiserver.writing.registry import Registry, WriteOptions

_LOG = logging.getLogger(__name__)


class Interruption(StrEnum):
    """What is the matter with a server that does not work."""

    DOWN = "down"
    """Nothing listens: as after the end of the process."""
    UNAVAILABLE = "unavailable"
    """It answers 503: as while it starts, or without etcd."""
    PAUSED = "paused"
    """It accepts requests, but answers them only when it resumes."""


class WallClock(Protocol):
    """A source of the current time."""

    def time(self) -> datetime:
        """Return the current time, with a time zone."""
        ...


class ApiServer:
    """A Kubernetes API server on a free port of the loopback interface.

    Args:
        directory: Where the kubeconfig is written.
        clock: The cluster's clock, for creation and deletion times; None for the machine's.
        settings: Limits of watches and history; None for the defaults.

    Attributes:
        url: Base URL of the server; empty until it has started.
        plain_url: Base URL without TLS, which is half the cost of a request: for clients of this process.
        kubeconfig: Path of the administrator's kubeconfig; written by `start`.
        store: All objects.
    """

    def __init__(self, directory: Path, clock: WallClock | None = None, settings: Settings | None = None) -> None:
        self.kubeconfig = directory / "kubeconfig"
        self.url = ""
        self.plain_url = ""
        self._settings = settings or Settings()
        self.store = Store(self._settings.history)
        self._access = Access()
        self._catalog = Catalog()
        self._openapi = OpenApi(self._catalog)
        now: Callable[[], datetime] = clock.time if clock else lambda: datetime.now(UTC)
        self._registry = Registry(self.store, self._catalog, now)
        self._watches = Watches()
        self._kubelets = Kubelets(self.store.collection(("", "nodes")))
        self._verbs = Verbs(self._registry, self._settings, self._watches)
        self._subresources = Subresources(self._registry, self._kubelets, self._access)
        self._controllers: list[asyncio.Task[None]] = []
        self._runner: web.ServerRunner | None = None
        self._audit: TextIO | None = None
        self._sites: list[web.TCPSite] = []
        self._interruption: Interruption | None = None
        self._resumed = asyncio.Event()

    @property
    def credentials(self) -> dict[str, str]:
        """Headers of a request by the administrator."""
        return self._access.credentials

    async def start(self) -> None:
        """Start serving in the running event loop and write the kubeconfig."""
        CustomResources(self.store, self._catalog)
        if self._settings.audit_log is not None:
            self._audit = self._settings.audit_log.open("a", encoding="utf-8", buffering=1)
        runs = (
            GarbageCollector(self._registry).queue.run(),
            NamespaceController(self._registry, self._access.certificate).queue.run(),
            DisruptionController(self._registry).queue.run(),
        )
        self._controllers = [asyncio.create_task(run) for run in runs]
        self._create_initial_objects()
        self._runner = web.ServerRunner(web.Server(self._answer, handler_cancellation=True, access_log=None))
        await self._runner.setup()
        await self._listen(0, 0)
        port, plain_port = (address[1] for address in self._runner.addresses)
        self.url, self.plain_url = f"https://{HOST}:{port}", f"http://{HOST}:{plain_port}"
        self._access.write_kubeconfig(self.kubeconfig, self.url)

    def new_token(self, user: str) -> str:
        """Return a new token for a user."""
        return self._access.new_token(user)

    def revoke(self, token: str) -> None:
        """Accept a token no longer, and end all watches: those of its user must not go on."""
        self._access.users.pop(token, None)
        self._watches.close()

    def deny(self, user: str, verb: str, resource: str, group: str = "") -> None:
        """Take a right from a user, such as `patch` of `nodes`, and end all watches: theirs must not go on."""
        self._access.deny(user, Right(verb, resource, group))
        self._watches.close()

    async def interrupt(self, how: Interruption) -> None:
        """Stop working until `resume`: end all watches, and handle no request. Those of this process wait."""
        self._interruption = how
        self._resumed.clear()
        self._watches.close()
        if how is Interruption.DOWN:
            for site in self._sites:
                await site.stop()
            if self._runner is not None and self._runner.server is not None:
                await self._runner.server.shutdown(timeout=0.1)

    async def resume(self) -> None:
        """Work again after `interrupt`, at the same address and with all objects."""
        if self._interruption is Interruption.DOWN:
            ports = (int(url.rpartition(":")[2]) for url in (self.url, self.plain_url))
            await self._listen(*ports)
        self._interruption = None
        self._resumed.set()

    async def _listen(self, port: int, plain_port: int) -> None:
        if self._runner is None:
            raise RuntimeError("the server was not started")
        self._sites = [
            web.TCPSite(self._runner, HOST, at, ssl_context=tls, backlog=512, reuse_address=True)
            for at, tls in ((port, self._access.ssl_context()), (plain_port, None))
        ]
        for site in self._sites:
            await site.start()

    async def stop(self) -> None:
        """End all watches and stop serving."""
        self._watches.close()
        for controller in self._controllers:
            controller.cancel()
        await asyncio.gather(*self._controllers, return_exceptions=True)
        if self._runner:
            await self._runner.cleanup()
        await self._kubelets.close()
        if self._audit is not None:
            self._audit.close()

    def _create_initial_objects(self) -> None:
        """Create the objects that exist in every new cluster."""
        writing = WriteOptions(field_manager="kube-apiserver")
        namespaces = self._catalog.builtin("", "namespaces")
        for name in INITIAL:
            self._registry.create(namespaces, "", {"metadata": {"name": name}}, writing)
        classes = self._catalog.builtin("scheduling.k8s.io", "priorityclasses")
        for name, value in SYSTEM_PRIORITIES.items():
            self._registry.create(classes, "", {"metadata": {"name": name}, "value": value}, writing)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = await self._answer_user(request, None)
        if not answer.prepared:
            answer.headers["Date"] = format_datetime(self._registry.now(), usegmt=True)
        return answer

    async def _answer_user(self, request: web.BaseRequest, user: str | None) -> web.StreamResponse:
        """Answer a request of a user; None for the one whose token it carries."""
        if self._audit is not None:
            self._audit.write(_audit_line(request))
        if self._interruption is Interruption.PAUSED:
            await self._resumed.wait()
        if self._interruption is Interruption.UNAVAILABLE:
            return refusal(unavailable())
        try:
            return await self._route(request, user or self._access.user_of(request))
        except ApiError as error:
            return refusal(error)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - any failure of one request becomes a 500
            _LOG.exception("%s %s", request.method, request.path)
            return refusal(internal(f"{type(error).__name__}: {error}"))

    async def call(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Answer a component of this process, by the administrator's rights, with status and body.

        An HTTP request costs several times the work that it asks for. As with one, others get their turn before and
        after the store was read or written.
        """
        await asyncio.sleep(0)
        if self._interruption is not None:
            await self._resumed.wait()  # as the client libraries of real components, which try again
        request = cast("web.BaseRequest", LocalRequest(method, path, query, headers, body))
        answer = cast("web.Response", await self._answer_user(request, ADMIN))
        await asyncio.sleep(0)
        return answer.status, cast("bytes", answer.body or b"")

    async def _route(self, request: web.BaseRequest, user: str) -> web.StreamResponse:
        fixed = self._fixed(request)
        if fixed is not None:
            return fixed
        target = target_of(request.path, self._catalog)
        if not target.served.resource.stored:
            return await review(request, target, user, self._access)
        self._access.check(user, request, target)
        if target.subresource not in ("", "status"):
            return await self._subresources.answer(request, target)
        return await self._verbs.answer(request, target)

    def _fixed(self, request: web.BaseRequest) -> web.Response | None:
        """Return the response for a path about the server itself; None for all other paths."""
        path = request.path.rstrip("/")
        if path in ("/healthz", "/livez", "/readyz"):
            verbose = f"[+]ping ok\n{path[1:]} check passed\n" if "verbose" in request.query else "ok"
            return web.Response(text=verbose)
        if path == "/openapi/v2":
            return _openapi_v2(request)
        value = self._described(path, request.headers.get("Accept", ""))
        if value is None:
            return None
        answer = value_answer(value)
        if value.get("kind") == discovery.AGGREGATED:
            answer.headers["Content-Type"] = f"application/json;g=apidiscovery.k8s.io;v=v2;as={discovery.AGGREGATED}"
        return answer

    def _described(self, path: str, accept: str) -> Object | None:
        """Return the discovery or OpenAPI document at `path`; None if there is none."""
        catalog, parts = self._catalog, path.strip("/").split("/")
        if path in ("/api", "/apis") and f"v=v2;as={discovery.AGGREGATED}" in accept:
            return discovery.aggregated(catalog, core=path == "/api")
        match parts:
            case ["version"]:
                return discovery.version_info()
            case ["api"]:
                return discovery.core_versions(self.url.removeprefix("https://"))
            case ["apis"]:
                return discovery.group_list(catalog)
            case ["api", version]:
                return discovery.resource_list(catalog, "", version)
            case ["apis", group]:
                return discovery.group(catalog, group)
            case ["apis", group, version]:
                return discovery.resource_list(catalog, group, version)
            case ["openapi", "v3"]:
                return self._openapi.index()
            case ["openapi", "v3", *where]:
                return self._openapi.document("/".join(where))
        return None


def _openapi_v2(request: web.BaseRequest) -> web.Response:
    """Return an empty OpenAPI v2 document: clients request it, but get the content from version 3."""
    if "protobuf" in request.headers.get("Accept", ""):
        return web.Response(body=b"", content_type="application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
    head = {"swagger": "2.0", "info": {"title": "Kubernetes", "version": discovery.KUBERNETES_VERSION}}
    return value_answer({**head, "paths": {}, "definitions": {}})


def _audit_line(request: web.BaseRequest) -> str:
    line = {
        "method": request.method,
        "path": request.path,
        "query": dict(request.query),
        "user_agent": request.headers.get("User-Agent", ""),
    }
    return json.dumps(line) + "\n"
