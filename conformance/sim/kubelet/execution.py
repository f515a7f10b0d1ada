"""Commands in running containers: the WebSocket protocol of `kubectl exec`.

Every message starts with a byte for its channel. Source: kubernetes v1.36,
staging/src/k8s.io/apimachinery/pkg/util/remotecommand (v4 and v5 of channel.k8s.io).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from aiohttp import WSMsgType, web

from conformance.sim.container import Container
from conformance.sim.kube import Object
from conformance.sim.kubelet.programs import Programs

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
OUTPUT: Final = b"\x01"
ERROR: Final = b"\x02"
STATUS: Final = b"\x03"
NOT_FOUND: Final = 127
"""Exit code for a command that the container does not have."""


async def serve_exec(request: web.Request, container: Container, programs: Programs) -> web.WebSocketResponse:
    """Run the command of a request in the container; send its output, then its status."""
    socket = web.WebSocketResponse(protocols=PROTOCOLS)
    await socket.prepare(request)
    running = asyncio.create_task(_run(socket, container, request.query.getall("command", []), programs))
    listening = asyncio.create_task(_until_closed(socket))
    try:
        await asyncio.wait({running, listening}, return_when=asyncio.FIRST_COMPLETED)
        if not listening.done():
            await socket.send_bytes(STATUS + json.dumps(ended(running.result())).encode())
            await socket.close()
    finally:
        running.cancel()
        listening.cancel()
    return socket


def ended(exit_code: int) -> Object:
    """Return the Status object for the exit code of a command."""
    if exit_code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: error executing command, exit code {exit_code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(exit_code)}]},
    }


async def _run(socket: web.WebSocketResponse, container: Container, command: Sequence[str], programs: Programs) -> int:
    """Run the command in addition to the container's program; return its exit code."""
    written: asyncio.Queue[str | None] = asyncio.Queue()
    inner = replace(container, command=list(command), log=written.put_nowait, stop=asyncio.Event())
    program = programs.find(inner) if command else None
    if program is None:
        name = command[0] if command else ""
        await socket.send_bytes(ERROR + f'exec: "{name}": executable file not found in $PATH\n'.encode())
        return NOT_FOUND
    sending = asyncio.create_task(_send(socket, written))
    try:
        code = await program(inner)
        written.put_nowait(None)
        await sending
        return code
    finally:
        sending.cancel()


async def _send(socket: web.WebSocketResponse, written: asyncio.Queue[str | None]) -> None:
    while (text := await written.get()) is not None:
        await socket.send_bytes(OUTPUT + text.removesuffix("\n").encode() + b"\n")


async def _until_closed(socket: web.WebSocketResponse) -> None:
    """Read until the client disconnects; its input is ignored."""
    async for message in socket:
        if message.type is WSMsgType.ERROR:
            return
