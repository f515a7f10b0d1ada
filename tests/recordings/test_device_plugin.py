"""The device plugin of the simulator against recordings of the real one: resources, answers, exit and log.

UUIDs are drawn by each side for itself, so answers are compared with every UUID replaced by its kind. Which of a
resource's devices the recorder asked for hangs on UUIDs too: where an answer tells devices apart (indexes, device
files), it must be the answer for some choice of as many devices.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from conformance.sim.clock import Clock
from conformance.sim.container import Container
from conformance.sim.device_manager import DeviceManager
from conformance.sim.device_plugin import device_plugin
from conformance.sim.device_plugin.cdi import FILE, KIND
from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.program import socket_name
from conformance.sim.device_plugin.server import ResourceServer
from conformance.sim.device_plugin.settings import read_settings
from conformance.sim.device_plugin.start import Started, StartError, start
from conformance.sim.faults import Faults
from conformance.sim.hardware import NodeHardware
from conformance.sim.kube import Kube
from conformance.sim.node import SimNode
from conformance.sim.nvml import Nvml
from conformance.sim.plugin_api import AllocateError, AllocateResponse, DevicePluginServer
from tests.recordings.loader import COMPUTE_PROFILES, hardware_from, recorded, set_state
from tests.recordings.replay import LogLines, Replay, body, prepare, replays

NAME = "device-plugin-resources"
UNKNOWN = "GPU-00000000-0000-0000-0000-000000000000"
PLUGIN_UID = "plugin"
IDLE = "main.go:416] No devices found. Waiting indefinitely."

Recorded = Mapping[str, Any]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    recording = recorded(NAME, metafunc.config.getoption("recordings", default=None))
    if "replay" in metafunc.fixturenames:
        metafunc.parametrize("replay", [pytest.param(run, id=run.id) for run in replays(recording)])
    else:
        cases = [case for case in recording.get("cases", ()) if "steps" in case]
        names = [f"{case['sku']}/{case['strategy']}/{case['case'].rpartition(' ')[2]}" for case in cases]
        metafunc.parametrize("case", cases, ids=names)


def test_run_is_that_of_the_real_program(replay: Replay) -> None:
    hardware = hardware_from(replay.gpus)
    prepare(hardware, replay.case)
    log = LogLines()

    started = _run(hardware, replay, log)

    found = {server.resource: server for server in started.servers} if started else {}
    assert (started is not None) == replay.run["running"]
    assert (None if started else 1) == replay.run.get("exit_code")
    assert sorted(found) == sorted(replay.run["resources"])
    for name, server in found.items():
        _check_resource(server, replay.run["resources"][name])
    assert _cdi(started) == _anonymous(replay.run.get("cdi_specs") or {})
    idle = [IDLE] if started and not started.servers else []
    assert log.notable + idle == replay.run.get("log", [])


def test_changed_geometry_is_noticed_at_the_next_start_only(case: Recorded) -> None:
    """A running plugin keeps what it enumerated; a new kubelet socket and SIGHUP make it enumerate again."""
    asyncio.run(_replay_steps(case))


async def _replay_steps(case: Recorded) -> None:
    (at_start, first), (_, second), (trigger, third) = case["steps"]
    hardware = hardware_from([state | {"mig": [1, 1], "instances": []} for state in case["gpus"]])
    _fill(hardware, at_start.removeprefix("all-").removesuffix(" at start"))
    log = LogLines()
    devices = Registry(Clock(), Faults())
    container = _container(hardware, devices, case["strategy"], log)
    program = asyncio.create_task(device_plugin(container))

    await _settle()
    _check_step(devices, program, first)
    for gpu, state in zip(hardware.gpus, case["gpus"], strict=True):
        set_state(gpu, state)
    await _settle()
    _check_step(devices, program, second)
    if trigger == "SIGHUP":
        container.node.hangup(PLUGIN_UID).set()
    else:
        devices.restart()
    await _settle()
    _check_step(devices, program, third)

    shown = [body(line) for line in log]
    assert [line for line in case["log"] if line not in shown] == []
    program.cancel()


def _check_step(devices: Registry, program: asyncio.Task[int], expected: Recorded) -> None:
    assert program.done() != expected["running"]
    assert (program.result() if program.done() else None) == expected.get("exit_code")
    assert sorted(devices.served) == sorted(expected["registrations"]) == sorted(expected["resources"])
    for name, server in devices.served.items():
        _check_resource(server, expected["resources"][name])


class Registry(DeviceManager):
    """A kubelet that lets the test look at who serves what."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        super().__init__(clock, faults)
        self.served: dict[str, ResourceServer] = {}

    def register(self, resource: str, plugin: DevicePluginServer) -> None:
        super().register(resource, plugin)
        self.served[resource] = cast("ResourceServer", plugin)

    def unregister(self, resource: str, plugin: DevicePluginServer) -> None:
        super().unregister(resource, plugin)
        self.served.pop(resource)


def _container(hardware: NodeHardware, devices: DeviceManager, strategy: str, log: LogLines) -> Container:
    clock = Clock()
    node = SimNode("node", hardware, clock)
    node.devices = devices
    return Container(
        pod={"metadata": {"uid": PLUGIN_UID}},
        name="nvidia-device-plugin",
        image="nvcr.io/nvidia/k8s-device-plugin:v0.20.0",
        command=["nvidia-device-plugin"],
        env={"MIG_STRATEGY": strategy},
        node=node,
        kube=cast("Kube", None),
        clock=clock,
        visible=None,
        files=lambda _: None,
        log=log.append,
    )


def _fill(hardware: NodeHardware, profile: str) -> None:
    for gpu in hardware.gpus:
        row = gpu.model.row(profile)
        for _ in range(row.max_instances):
            gpu.create_compute_instance(gpu.create_instance(row), COMPUTE_PROFILES[row.slices])


async def _settle() -> None:
    """Let the program run until it waits for something outside."""
    for _ in range(10):
        await asyncio.sleep(0)


def _run(hardware: NodeHardware, replay: Replay, log: LogLines) -> Started | None:
    klog = Klog(log.append, lambda: datetime.now(UTC))
    settings = read_settings(replay.command, replay.env, replay.files, klog)
    try:
        return start(Nvml(hardware), settings, faults=Faults(), log=klog)
    except StartError as error:
        klog.failure("main.go:198", f"error starting plugins: {error}")
        return None


def _check_resource(server: ResourceServer, expected: Recorded) -> None:
    devices = server.devices()
    ids = sorted(device.id for device in devices)
    assert expected.get("endpoint", socket_name(server.resource)) == socket_name(server.resource)
    assert len(devices) == expected["count"]
    assert sorted({device.health for device in devices}) == expected["health"]
    assert sorted({device.numa for device in devices}) == sorted(map(tuple, expected["numa"]))
    assert [_anonymous(one) for one in ids[:8]] == [_anonymous(one) for one in expected["ids"]]
    for size in (1, 2):
        if (answer := expected.get(f"allocate_{size}")) is not None:
            assert _is_answer_to_some(server, ids, size, _anonymous(answer))
        if expected.get(f"preferred_{size}_is_subset"):
            assert len(set(server.preferred(ids, (), size)) & set(ids)) == size
    with pytest.raises(AllocateError) as refused:
        server.allocate([UNKNOWN])
    assert ["UNKNOWN", str(refused.value)] == expected["allocate_unknown"]["error"]


def _is_answer_to_some(server: ResourceServer, ids: Sequence[str], size: int, expected: Any) -> bool:
    return any(_anonymous(_as_recorded(server.allocate(choice))) == expected for choice in _choices(ids, size))


def _choices(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The recorder took the first ids; of shared devices these are replicas of one device."""
    yield ids[:size]
    if not any("::" in one for one in ids):
        yield from itertools.permutations(ids, size)


def _as_recorded(answer: AllocateResponse) -> dict[str, Any]:
    written = {
        "envs": dict(answer.envs),
        "mounts": [{"container_path": m.container_path, "host_path": m.host_path} for m in answer.mounts],
        "devices": [
            {"container_path": d.container_path, "host_path": d.host_path, "permissions": d.permissions}
            for d in answer.devices
        ],
        "annotations": {re.sub(r"_[-0-9a-f]{36}$", "_<request-uuid>", key): v for key, v in answer.annotations.items()},
        "cdi_devices": [{"name": name} for name in answer.cdi],
    }
    return {key: value for key, value in written.items() if value}


def _cdi(started: Started | None) -> Any:
    if started is None or started.cdi is None:
        return {}
    names = [device["name"] for device in started.cdi["devices"]]
    spec = {"kind": started.cdi["kind"], "cdiVersion": started.cdi["cdiVersion"], "devices": names[:10]}
    assert spec["kind"] == KIND
    return _anonymous({FILE.rpartition("/")[2]: spec | {"device_count": len(names)}})


def _anonymous(value: Any) -> Any:
    return json.loads(re.sub(r"(GPU|MIG)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", r"\1-uuid", json.dumps(value)))
