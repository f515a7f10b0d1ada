"""The HTTPS endpoint for logs and exec, shared by all nodes of the process."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

import trustme
from aiohttp import web

from conformance.sim.clock import Clock
from conformance.sim.kubelet.containers import ContainerRunner
from conformance.sim.kubelet.endpoint import Endpoint
from conformance.sim.kubelet.execution import serve_exec
from conformance.sim.kubelet.logs import ContainerLog, LogOptions
from conformance.sim.kubelet.pod import PodWorker
from conformance.sim.kubelet.programs import Programs

SHUTDOWN_SECONDS: Final = 0.2
"""Real seconds for which the endpoint waits for open log and exec streams when it closes."""


class KubeletServer:
    """The part of the kubelet API that an API server proxies: `/containerLogs` and `/exec`.

    It listens on one address with a self-signed CA; by default API servers do not verify the certificate.

    Args:
        find_worker: Looks up a running pod by namespace and name.
        programs: The programs of commands.
        clock: The cluster's clock.
        address: Where it listens.
    """

    def __init__(
        self, find_worker: Callable[[str, str], PodWorker | None], programs: Programs, clock: Clock, address: str
    ) -> None:
        self._find_worker = find_worker
        self._programs = programs
        self._clock = clock
        self._address = address
        self._runner: web.AppRunner | None = None

    async def start(self) -> Endpoint:
        """Start to listen."""
        app = web.Application()
        app.router.add_get("/healthz", _healthy)
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        app.router.add_get("/exec/{namespace}/{pod}/{container}", self._exec)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trustme.CA().issue_cert(self._address).configure_cert(tls)
        await web.TCPSite(self._runner, self._address, 0, ssl_context=tls).start()
        return Endpoint(self._address, self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close the endpoint."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _container(self, request: web.Request) -> ContainerRunner:
        """Return the container in the path of a request.

        Raises:
            HTTPNotFound: No pod of this process has this container.
        """
        where = request.match_info
        worker = self._find_worker(where["namespace"], where["pod"])
        if worker is None:
            raise web.HTTPNotFound(text=f'pod "{where["pod"]}" not found in namespace "{where["namespace"]}"\n')
        for runner in worker.containers:
            if runner.name == where["container"]:
                return runner
        raise web.HTTPNotFound(text=f"container {where['container']} not found in pod {where['pod']}\n")

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        runner = self._container(request)
        log = self._chosen_log(runner, request)
        options = LogOptions(
            tail=int(request.query["tailLines"]) if "tailLines" in request.query else None,
            since=self._since(request),
            timestamps=request.query.get("timestamps") in ("true", "1"),
            follow=request.query.get("follow") in ("true", "1"),
        )
        left = int(request.query["limitBytes"]) if "limitBytes" in request.query else None
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        with suppress(ConnectionResetError):  # the client has disconnected
            async for text in log.read(options):
                data = text.encode()[:left]
                await response.write(data)
                left = None if left is None else left - len(data)
                if left == 0:
                    break
            await response.write_eof()
        return response

    def _chosen_log(self, runner: ContainerRunner, request: web.Request) -> ContainerLog:
        if request.query.get("previous") not in ("true", "1"):
            if not runner.id:
                message = f'container "{runner.name}" in pod "{request.match_info["pod"]}" is waiting to start'
                raise web.HTTPBadRequest(text=f"{message}: ContainerCreating\n")
            return runner.log
        if runner.former_log is None:
            where = request.match_info
            message = f'previous terminated container "{runner.name}" in pod "{where["pod"]}" not found'
            raise web.HTTPBadRequest(text=f"{message}\n")
        return runner.former_log

    def _since(self, request: web.Request) -> datetime | None:
        if moment := request.query.get("sinceTime"):
            return datetime.fromisoformat(moment)
        if seconds := request.query.get("sinceSeconds"):
            return self._clock.time() - timedelta(seconds=float(seconds))
        return None

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        runner = self._container(request)
        if runner.container is None:
            raise web.HTTPInternalServerError(text=f"container not running: {runner.name}\n")
        return await serve_exec(request, runner.container, self._programs)


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(status=HTTPStatus.OK, text="ok")
