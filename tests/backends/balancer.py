"""A load balancer before a real API server, which answers 503 in its place for a while."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import yaml
from aiohttp import web
from yarl import URL

from tests.cluster.stand import Loop

_OF_CONNECTION = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


class Balancer:
    """Passes requests on to a server, with their credentials.

    Args:
        loop: Where it runs.
        kubeconfig: The way to the server; its user must have a token.
        folder: Where the kubeconfig of the balancer is written.

    Attributes:
        kubeconfig: The way through the balancer.
        unavailable: Whether it answers 503.
        refused: Number of requests that it answered so.
    """

    def __init__(self, loop: Loop, kubeconfig: Path, folder: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self.unavailable, self.refused = False, 0
        self._loop, self._target = loop, cluster["server"]
        config["clusters"][0]["cluster"] = {"server": loop.run(self._start())}
        self.kubeconfig = folder / "balanced"
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def close(self) -> None:
        self._loop.run(self._stop())

    async def _start(self) -> str:
        self._session = aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout())
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self.unavailable:
            self.refused += 1
            return web.Response(status=503, text="no healthy upstream")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_CONNECTION}
        url = f"{self._target}{request.raw_path}"
        body = await request.read()
        async with self._session.request(
            request.method, URL(url, encoded=True), headers=headers, data=body, ssl=False
        ) as found:
            kept = {name: value for name, value in found.headers.items() if name.lower() not in _OF_CONNECTION}
            answer = web.StreamResponse(status=found.status, headers=kept)
            await answer.prepare(request)
            async for chunk in found.content.iter_any():
                if self.unavailable:  # the streams of a server that is gone end
                    break
                await answer.write(chunk)
            return answer
