"""Logs and exec: the API server passes them on to the kubelet that the node's status names."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme
from aiohttp import web
from kubernetes import client
from kubernetes.stream import stream

from tests.sim.apiserver.stand import Http, pod_body

LINES = [f"line {number}" for number in range(5)]
STDIN, STDOUT, STDERR, ERROR = range(4)


@dataclass
class FakeKubelet:
    """Answers as a kubelet does, over HTTPS with a certificate that nobody has signed for."""

    port: int = 0
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)

    async def logs(self, request: web.Request) -> web.StreamResponse:
        self.note(request)
        if request.query.get("previous") == "true":
            return web.Response(status=400, text='previous terminated container "c" in pod "x" not found')
        tail = int(request.query.get("tailLines", len(LINES)))
        return web.Response(text="".join(f"{line}\n" for line in LINES[-tail:]))

    async def run(self, request: web.Request) -> web.StreamResponse:
        """Run `echo ARGS`, `cat` or a program that there is none of."""
        self.note(request)
        socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io", "v4.channel.k8s.io"))
        await socket.prepare(request)
        program, *arguments = request.query.getall("command")
        status: dict[str, object] = {"metadata": {}, "status": "Success"}
        if program == "echo":
            await socket.send_bytes(bytes([STDOUT]) + " ".join(arguments).encode())
        elif program == "cat":
            frame = (await socket.receive()).data
            text = frame if isinstance(frame, bytes) else frame.encode()
            await socket.send_bytes(bytes([STDOUT]) + text[1:])
        else:
            await socket.send_bytes(bytes([STDERR]) + b"not found")
            causes = [{"reason": "ExitCode", "message": "127"}]
            status = {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}
        await socket.send_bytes(bytes([ERROR]) + json.dumps(status).encode())
        await socket.close()
        return socket

    def note(self, request: web.Request) -> None:
        self.asked.append((request.path, {name: request.query.getall(name) for name in request.query}))


@pytest.fixture(scope="module")
def kubelet() -> Iterator[FakeKubelet]:
    fake, loop = FakeKubelet(), asyncio.new_event_loop()
    application = web.Application()
    application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", fake.logs)
    application.router.add_route("*", "/exec/{namespace}/{pod}/{container}", fake.run)
    runner = web.AppRunner(application)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("kubelet.example").configure_cert(context)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        fake.port = runner.addresses[0][1]

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(start(), loop).result(timeout=5)
    yield fake
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(timeout=5)
    loop.close()


@pytest.fixture
def running(http: Http, pods: str, node: str, kubelet: FakeKubelet) -> str:
    """Path of a running pod on a node whose kubelet is the fake one."""
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet.port}},
        "declaredFeatures": ["ExtendWebSocketsToKubelet"],
    }
    assert http.merge(f"{node}/status", {"status": status}).status == 200
    assert http.post(pods, pod_body("x", nodeName=node.rpartition("/")[2])).status == 201
    http.merge(f"{pods}/x/status", {"status": {"phase": "Running"}})
    kubelet.asked.clear()
    return f"{pods}/x"


def test_log_comes_from_the_kubelet(http: Http, running: str, kubelet: FakeKubelet, namespace: str) -> None:
    assert http.get(f"{running}/log").body.decode().splitlines() == LINES
    assert kubelet.asked[0][0] == f"/containerLogs/{namespace}/x/c"


def test_options_of_a_log_are_passed_on(http: Http, running: str, kubelet: FakeKubelet) -> None:
    assert http.get(f"{running}/log?container=c&tailLines=2&timestamps=true").body.decode().splitlines() == LINES[-2:]
    assert kubelet.asked[0][1] == {"tailLines": ["2"], "timestamps": ["true"]}


def test_refusal_of_the_kubelet_comes_through(http: Http, running: str) -> None:
    refused = http.get(f"{running}/log?previous=true")
    assert refused.status == 400
    assert "previous terminated container" in refused.body["message"]


def test_log_of_an_unknown_container_is_refused(http: Http, running: str) -> None:
    assert http.get(f"{running}/log?container=nope").status == 400


def test_log_of_one_of_several_containers_must_be_chosen(http: Http, pods: str) -> None:
    containers = [{"name": name, "image": "i:1"} for name in ("a", "b")]
    http.post(pods, pod_body("two", containers=containers, schedulerName="nobody"))
    refused = http.get(f"{pods}/two/log")
    assert refused.status == 400
    assert "choose one of: [a b]" in refused.body["message"]


def test_log_of_a_pod_without_a_node_is_empty(http: Http, pods: str) -> None:
    http.post(pods, pod_body("lost", schedulerName="nobody"))
    found = http.get(f"{pods}/lost/log")
    assert (found.status, found.body) == (204, b"")


def test_unreachable_kubelet_is_an_internal_error(http: Http, running: str, node: str) -> None:
    nowhere = {"daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}}
    http.merge(f"{node}/status", {"status": nowhere})
    assert http.get(f"{running}/log").status == 500


class TestExec:
    """Each call has an ApiClient of its own: `stream` changes the one that it is given."""

    def open(self, settings: client.Configuration, namespace: str, *command: str, stdin: bool = False) -> Any:
        core = client.CoreV1Api(client.ApiClient(settings))
        return stream(
            core.connect_get_namespaced_pod_exec,
            "x",
            namespace,
            command=list(command),
            stdin=stdin,
            stdout=True,
            stderr=True,
            tty=False,
            _preload_content=False,
        )

    @pytest.mark.usefixtures("running")
    def test_output_comes_back(self, http: Http, namespace: str, kubelet: FakeKubelet) -> None:
        shell = self.open(http.settings, namespace, "echo", "a", "b")
        shell.run_forever(timeout=5)
        assert (shell.read_stdout(), shell.returncode) == ("a b", 0)
        path, query = kubelet.asked[0]
        assert path == f"/exec/{namespace}/x/c"
        assert query == {"command": ["echo", "a", "b"], "output": ["1"], "error": ["1"]}

    @pytest.mark.usefixtures("running")
    def test_exit_code_comes_back(self, http: Http, namespace: str) -> None:
        shell = self.open(http.settings, namespace, "no-such-program")
        shell.run_forever(timeout=5)
        assert (shell.read_stderr(), shell.returncode) == ("not found", 127)

    @pytest.mark.usefixtures("running")
    def test_input_goes_in(self, http: Http, namespace: str) -> None:
        shell = self.open(http.settings, namespace, "cat", stdin=True)
        shell.write_stdin("hello")
        shell.run_forever(timeout=5)
        assert shell.read_stdout() == "hello"

    def test_pod_without_a_node_is_refused(self, http: Http, pods: str) -> None:
        http.post(pods, pod_body("lost", schedulerName="nobody"))
        refused = http.get(f"{pods}/lost/exec?command=true&stdout=true")
        assert (refused.status, refused.body["message"]) == (400, "pod lost does not have a host assigned")

    def test_request_that_is_no_stream_is_refused(self, http: Http, running: str) -> None:
        assert http.get(f"{running}/exec?command=true&stdout=true").status == 400


@pytest.mark.usefixtures("running")
def test_kubectl_prints_logs_and_runs_programs(namespace: str, kubectl: Callable[..., str]) -> None:
    assert kubectl("logs", "-n", namespace, "x", "--tail=1") == f"{LINES[-1]}\n"
    assert kubectl("exec", "-n", namespace, "x", "--", "echo", "GPU 0") == "GPU 0"
    assert "exit code 127" in kubectl("exec", "-n", namespace, "x", "--", "nope", succeeds=False)
