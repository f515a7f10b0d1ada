"""Runs commands in containers over a WebSocket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import yaml
from kubernetes import client as kubernetes_client
from kubernetes.stream.ws_client import ERROR_CHANNEL, websocket_call

from conformance.cluster import paths
from conformance.cluster.errors import ClusterError
from conformance.cluster.pod_view import PodView
from conformance.cluster.transport import Transport


@dataclass(frozen=True)
class Execution:
    """Result of one command.

    Attributes:
        exit_code: Exit code, 0 to 255.
        stdout: Standard output.
        stderr: Standard error.
    """

    exit_code: int
    stdout: str
    stderr: str


def execute(transport: Transport, pod: PodView, command: Sequence[str], container: str | None) -> Execution:
    """Run `command` in a container. None selects the only container.

    Raises:
        ClusterError: The command could not be started or did not finish within `limits.request` real seconds.
    """
    what = f"command {' '.join(command)!r} in pod {pod}"
    seconds = transport.limits.request
    query = [("command", word) for word in command]
    query += [("stdin", "false"), ("stdout", "true"), ("stderr", "true"), ("tty", "false")]
    query += [] if container is None else [("container", container)]
    url, headers = transport.signed(paths.exec_in(pod.namespace, pod.name), query)
    try:
        # CoreV1Api takes a second of CPU time to import, and its client is not safe to share during an exec
        # (kubernetes-client/python issue 928).
        channel = websocket_call(transport.configuration, "GET", url, headers=headers, _preload_content=False)  # type: ignore[no-untyped-call]
    except kubernetes_client.ApiException as error:
        raise ClusterError(f"cannot start {what}: {error.reason}") from error
    try:
        channel.run_forever(timeout=seconds)
        if channel.is_open():
            raise ClusterError(f"{what} did not finish within {seconds:g} s")
        return Execution(
            exit_code=_exit_code(what, channel.read_channel(ERROR_CHANNEL)),
            stdout=channel.read_stdout() if channel.peek_stdout() else "",
            stderr=channel.read_stderr() if channel.peek_stderr() else "",
        )
    finally:
        channel.close()


def _exit_code(what: str, status: str) -> int:
    answer = yaml.safe_load(status) or {}
    if answer.get("status") == "Success":
        return 0
    for cause in (answer.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise ClusterError(f"{what} failed: {answer.get('message', 'the connection ended without a status')}")
