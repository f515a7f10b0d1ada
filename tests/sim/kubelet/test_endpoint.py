"""Logs and exec, as an API server asks for them and through the embedded one."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from kubernetes import client, config
from kubernetes.stream import stream as open_stream

from conformance.sim.container import Container
from conformance.sim.kube import NODES, PODS, Object
from conformance.sim.kubelet.endpoint import LOOPBACK, address_towards_nodes, source_address
from tests.sim.stage import Plugin, Stage, stage


async def chatter(container: Container) -> int:
    for number in range(3):
        container.log(f"line {number}")
    return await container.stopped()


async def dying(container: Container) -> int:
    container.log("last words")
    return 1


@asynccontextmanager
async def talking() -> AsyncIterator[Stage]:
    """Open a stage with one pod that has written three lines."""
    async with stage(commands={"chatter": chatter, "dying": dying}) as it:
        await it.create(command=["chatter"])
        await it.until_phase("pod", "Running")
        yield it


def endpoint(it: Stage) -> str:
    return f"https://127.0.0.1:{it.node()['status']['daemonEndpoints']['kubeletEndpoint']['Port']}"


async def ask(it: Stage, path: str) -> tuple[int, str]:
    untrusting = aiohttp.TCPConnector(ssl=False)
    async with aiohttp.ClientSession(connector=untrusting) as session, session.get(endpoint(it) + path) as answer:
        return answer.status, await answer.text()


async def run(it: Stage, *command: str, protocol: str = "v5.channel.k8s.io") -> tuple[dict[int, str], Object, str]:
    """Run a command as an API server does: what came on each channel, the status, the protocol agreed on."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    channels: dict[int, str] = {}
    query = [("command", word) for word in command] + [("output", "1"), ("error", "1")]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session:
        url = f"{endpoint(it)}/exec/default/pod/main"
        async with session.ws_connect(url, params=query, protocols=(protocol,)) as socket:
            async for message in socket:
                channels[message.data[0]] = channels.get(message.data[0], "") + message.data[1:].decode()
            return channels, json.loads(channels.pop(3)), socket.protocol or ""


async def test_a_log_is_what_the_program_wrote() -> None:
    async with talking() as it:
        assert await ask(it, "/containerLogs/default/pod/main") == (200, "line 0\nline 1\nline 2\n")
        assert await ask(it, "/containerLogs/default/pod/main?tailLines=1") == (200, "line 2\n")
        assert await ask(it, "/containerLogs/default/pod/main?limitBytes=9") == (200, "line 0\nli")
        assert await ask(it, "/containerLogs/default/pod/main?sinceTime=2099-01-01T00:00:00Z") == (200, "")
        assert (await ask(it, "/containerLogs/default/pod/main?sinceSeconds=1000"))[1].startswith("line 0")
        _, stamped = await ask(it, "/containerLogs/default/pod/main?timestamps=true&tailLines=1")

    moment, _, line = stamped.partition(" ")
    assert line == "line 2\n"
    assert moment.startswith(str(it.clock.time().year))
    assert moment.endswith("Z")


async def test_a_followed_log_ends_with_the_container() -> None:
    async with talking() as it:
        following = asyncio.create_task(ask(it, "/containerLogs/default/pod/main?follow=true&tailLines=1"))
        await asyncio.sleep(0.05)
        assert not following.done()
        await it.kube.delete(PODS, "pod", "default")

        assert await following == (200, "line 2\n")


async def test_the_log_of_the_run_before_is_kept() -> None:
    async with talking() as it:
        await it.create(name="crashing", command=["dying"], restart="Always")
        await it.until_pod("crashing", lambda pod: "CrashLoopBackOff" in str(pod["status"]))

        assert await ask(it, "/containerLogs/default/crashing/main?previous=true") == (200, "last words\n")
        status, message = await ask(it, "/containerLogs/default/pod/main?previous=true")

    assert status == 400
    assert 'previous terminated container "main" in pod "pod" not found' in message


async def test_what_is_not_there_is_not_found() -> None:
    async with talking() as it:
        assert (await ask(it, "/containerLogs/default/pod/other"))[0] == 404
        assert (await ask(it, "/containerLogs/default/other/main"))[0] == 404
        assert (await ask(it, "/exec/default/other/main?command=true"))[0] == 404
        assert await ask(it, "/healthz") == (200, "ok")


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
async def test_a_command_answers_on_its_channels(protocol: str) -> None:
    async with talking() as it:
        channels, status, agreed = await run(it, "echo", "hello", "world", protocol=protocol)

    assert channels == {1: "hello world\n"}
    assert status == {"metadata": {}, "status": "Success"}
    assert agreed == protocol


async def test_the_exit_code_of_a_command_is_told() -> None:
    async with talking() as it:
        _, status, _ = await run(it, "sh", "-c", "exit 3")

    assert (status["reason"], status["details"]["causes"]) == (
        "NonZeroExitCode",
        [{"reason": "ExitCode", "message": "3"}],
    )


async def test_a_command_that_is_not_there_says_so_on_the_error_channel() -> None:
    async with talking() as it:
        channels, status, _ = await run(it, "no-such-program")

    assert channels == {2: 'exec: "no-such-program": executable file not found in $PATH\n'}
    assert status["details"]["causes"][0]["message"] == "127"


async def test_the_official_client_runs_a_command_through_the_api_server() -> None:
    async with stage() as it:
        it.nodes[0].devices.register("nvidia.com/gpu", Plugin(ids=(it.nodes[0].hardware.gpus[0].uuid,)))
        await it.create(limits={"nvidia.com/gpu": "1"})
        await it.until_phase("pod", "Running")
        settings: Any = client.Configuration()

        def execute() -> str:
            load: Any = config.load_kube_config
            load(str(it.kubeconfig), client_configuration=settings)
            api = client.CoreV1Api(client.ApiClient(settings))
            command = ["nvidia-smi", "-L"]
            call = api.connect_get_namespaced_pod_exec
            return str(open_stream(call, "pod", "default", command=command, stdout=True, stderr=True, stdin=False))

        listed = await asyncio.to_thread(execute)

    assert listed.startswith("GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-")
    assert len(listed.splitlines()) == 1


def node(*addresses: tuple[str, str]) -> Object:
    listed = [{"type": kind, "address": address} for kind, address in addresses]
    return {"metadata": {"name": f"n{len(addresses)}"}, "status": {"addresses": listed}}


@pytest.mark.parametrize(
    "addresses",
    [(), (("InternalIP", "127.0.0.1"),), (("InternalIP", "::1"), ("Hostname", "a")), (("ExternalIP", "203.0.113.9"),)],
    ids=str,
)
async def test_a_cluster_without_other_machines_is_on_this_one(addresses: tuple[tuple[str, str], ...]) -> None:
    async with stage(nodes=0) as it:
        await it.kube.create(NODES, node(*addresses))

        assert await address_towards_nodes(it.kube) == LOOPBACK


async def test_the_api_server_of_another_machine_reaches_the_address_on_the_way_there() -> None:
    """As that of kind, in a container."""
    mine = source_address("203.0.113.9")
    if mine == LOOPBACK:
        pytest.skip("this machine has no address but the loopback address")
    async with stage(nodes=0) as it:
        await it.kube.create(NODES, node(("InternalIP", "203.0.113.9")))
        assert await address_towards_nodes(it.kube) == mine

    async with stage(commands={"chatter": chatter}, address=mine) as it:
        await it.create(command=["chatter"])
        pod = await it.until_phase("pod", "Running")
        url = f"https://{mine}:{it.node()['status']['daemonEndpoints']['kubeletEndpoint']['Port']}"
        untrusting = aiohttp.TCPConnector(ssl=False)
        path = "/containerLogs/default/pod/main"
        async with aiohttp.ClientSession(connector=untrusting) as session, session.get(url + path) as answer:
            log = await answer.text()
        addresses = it.node()["status"]["addresses"]

    assert pod["status"]["hostIP"] == mine
    assert addresses == [{"type": "InternalIP", "address": mine}]
    assert log.splitlines() == ["line 0", "line 1", "line 2"]
