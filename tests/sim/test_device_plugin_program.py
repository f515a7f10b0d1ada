"""The device plugin as a program: start, registration, restart of the kubelet, end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import pynvml
import pytest

from conformance.sim.device_manager import DeviceManager
from conformance.sim.device_plugin import device_plugin
from conformance.sim.device_plugin.cdi import FILE
from conformance.sim.hardware import NodeHardware
from tests.sim.containers import Log, container, settle
from tests.sim.partitioned import MIG_OFF, cut, partitioned

SEVEN = ["1g.10gb"] * 7
BALANCED = ["3g.40gb", "2g.20gb", "1g.10gb", "1g.10gb"]


def quantities(devices: DeviceManager) -> dict[str, tuple[int, int]]:
    return {name: (q.capacity, q.allocatable) for name, q in devices.quantities().items()}


def fails(hardware: NodeHardware, env: Mapping[str, str], version: str = "v0.20.0") -> str:
    """Run the program to its failing end and return its last line."""
    log = Log()
    inside = container(hardware, env=env, log=log, version=version)
    assert asyncio.run(device_plugin(inside)) == 1
    assert inside.node.devices.quantities() == {}
    return log.texts[-1]


def test_devices_stay_registered_until_the_end() -> None:
    async def scenario() -> None:
        log = Log()
        inside = container(partitioned(SEVEN, SEVEN), env={"MIG_STRATEGY": "single"}, log=log)
        program = asyncio.create_task(device_plugin(inside))
        await settle()
        assert quantities(inside.node.devices) == {"nvidia.com/gpu": (14, 14)}

        inside.stop.set()

        assert await program == 0
        assert quantities(inside.node.devices) == {"nvidia.com/gpu": (14, 0)}
        assert "Registered device plugin for 'nvidia.com/gpu' with Kubelet" in log.texts

    asyncio.run(scenario())


def test_killed_plugin_is_gone_for_the_kubelet_too() -> None:
    async def scenario() -> None:
        inside = container(partitioned(MIG_OFF), env={}, log=Log())
        program = asyncio.create_task(device_plugin(inside))
        await settle()

        program.cancel()
        await settle()

        assert quantities(inside.node.devices) == {"nvidia.com/gpu": (1, 0)}

    asyncio.run(scenario())


def test_new_geometry_shows_only_after_the_kubelet_restarted() -> None:
    async def scenario() -> None:
        hardware = partitioned(SEVEN)
        inside = container(hardware, env={"MIG_STRATEGY": "mixed"}, log=Log())
        program = asyncio.create_task(device_plugin(inside))
        await settle()
        cut(hardware.gpus[0], BALANCED)
        await settle()
        assert quantities(inside.node.devices) == {"nvidia.com/mig-1g.10gb": (7, 7)}

        inside.node.devices.restart()
        await settle()

        assert quantities(inside.node.devices) == {
            "nvidia.com/mig-3g.40gb": (1, 1),
            "nvidia.com/mig-2g.20gb": (1, 1),
            "nvidia.com/mig-1g.10gb": (2, 2),
        }
        inside.stop.set()
        assert await program == 0

    asyncio.run(scenario())


def test_node_without_devices_is_waited_on() -> None:
    async def scenario() -> None:
        log = Log()
        inside = container(partitioned([]), env={"MIG_STRATEGY": "mixed"}, log=log)
        program = asyncio.create_task(device_plugin(inside))
        await settle()

        assert not program.done()
        assert log.texts[-1] == "No devices found. Waiting indefinitely."
        inside.stop.set()
        assert await program == 0

    asyncio.run(scenario())


def test_cdi_specification_leaves_out_gpus_in_mig_mode() -> None:
    async def scenario() -> list[str]:
        env = {
            "MIG_STRATEGY": "mixed",
            "DEVICE_LIST_STRATEGY": "cdi-annotations,cdi-cri",
            "DEVICE_ID_STRATEGY": "index",
        }
        inside = container(partitioned(["3g.40gb", "3g.40gb"], MIG_OFF), env=env, log=Log())
        inside.stop.set()
        await device_plugin(inside)
        return [device["name"] for device in json.loads(inside.node.files[FILE])["devices"]]

    assert asyncio.run(scenario()) == ["0:0", "0:1", "1"]


@pytest.mark.parametrize("strategy", ["mixed", "none"])
@pytest.mark.parametrize("ways", ["cdi-annotations,cdi-cri", "envvar,cdi-annotations"])
@pytest.mark.parametrize("version", ["v0.18.0", "v0.20.0"])
def test_cdi_without_any_device_ends_the_plugin(version: str, ways: str, strategy: str) -> None:
    line = fails(partitioned([], []), {"MIG_STRATEGY": strategy, "DEVICE_LIST_STRATEGY": ways}, version)

    assert line == (
        "error starting plugins: error getting plugins: unable to create cdi spec file: failed to save CDI spec: "
        "failed to write spec: invalid CDI Spec: invalid spec, no devices"
    )


def test_before_v0_18_a_specification_without_devices_is_written() -> None:
    env = {"MIG_STRATEGY": "mixed", "DEVICE_LIST_STRATEGY": "envvar,cdi-annotations"}
    inside = container(partitioned([]), env=env, log=Log(), version="v0.17.4")
    inside.stop.set()

    assert asyncio.run(device_plugin(inside)) == 0


def test_uneven_geometry_under_single_ends_the_plugin_whatever_fail_on_init_error() -> None:
    env = {"MIG_STRATEGY": "single", "FAIL_ON_INIT_ERROR": "false"}

    line = fails(partitioned(BALANCED), env)

    assert line.startswith("error starting plugins: ")
    assert line.endswith("more than one MIG device type present on node")


def test_version_decides_over_partial_compute_instances() -> None:
    async def resources(version: str) -> dict[str, tuple[int, int]]:
        inside = container(partitioned(["1c.3g.40gb"]), env={"MIG_STRATEGY": "mixed"}, log=Log(), version=version)
        inside.stop.set()
        await device_plugin(inside)
        return quantities(inside.node.devices)

    assert asyncio.run(resources("v0.19.3")) == {"nvidia.com/mig-3g.40gb": (3, 0)}
    assert asyncio.run(resources("v0.20.0")) == {}


def test_packing_is_unknown_before_v0_20() -> None:
    env = {"SHARED_DEVICES_ALLOCATION_POLICY": "nonsense"}

    assert "invalid --shared-devices-allocation-policy option" in fails(partitioned(MIG_OFF), env)
    inside = container(partitioned(MIG_OFF), env=env, log=Log(), version="v0.19.0")
    inside.stop.set()
    assert asyncio.run(device_plugin(inside)) == 0


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"MIG_STRATEGY": "bogus"}, "unable to validate flags: unknown MIG strategy: bogus"),
        ({"DEVICE_LIST_STRATEGY": "pigeon"}, "invalid --device-list-strategy option: invalid strategy: pigeon"),
        ({"DEVICE_ID_STRATEGY": "name"}, "invalid --device-id-strategy option: name"),
        ({"CONFIG_FILE": "/nowhere"}, "unable to load config"),
    ],
)
def test_unusable_settings_end_the_plugin(env: Mapping[str, str], message: str) -> None:
    assert message in fails(partitioned(MIG_OFF), env)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MIG_STRATEGY", "error starting plugins: unable to validate flags: unknown MIG strategy: "),
        ("DEVICE_LIST_STRATEGY", "unable to validate flags: invalid --device-list-strategy option: invalid strategy: "),
        ("DEVICE_ID_STRATEGY", "unable to validate flags: invalid --device-id-strategy option: "),
    ],
)
def test_an_empty_variable_ends_the_plugin(name: str, message: str) -> None:
    """As the real v0.17.4 and v0.20.0 do."""
    assert fails(partitioned(MIG_OFF), {name: ""}).endswith(message)


def test_a_variable_that_cannot_be_parsed_ends_the_program_before_it_starts_plugins() -> None:
    """As the real v0.20.0 says."""
    assert fails(partitioned(MIG_OFF), {"PASS_DEVICE_SPECS": "maybe"}) == (
        'could not parse "maybe" as bool value from environment variable "PASS_DEVICE_SPECS" for flag '
        'pass-device-specs: strconv.ParseBool: parsing "maybe": invalid syntax'
    )


@pytest.mark.parametrize(("version", "with_parents"), [("v0.17.4", True), ("v0.18.1", False), ("v0.20.0", False)])
def test_cdi_names_gpus_in_mig_mode_before_v018(version: str, *, with_parents: bool) -> None:
    """As the real v0.17.4 and v0.20.0 do."""
    hardware = partitioned(SEVEN)
    env = {"MIG_STRATEGY": "mixed", "DEVICE_LIST_STRATEGY": "cdi-cri"}
    inside = container(hardware, env=env, log=Log(), version=version)
    inside.stop.set()

    assert asyncio.run(device_plugin(inside)) == 0

    named = {device["name"] for device in json.loads(inside.node.files[FILE])["devices"]}
    assert (hardware.gpus[0].uuid in named) == with_parents
    assert len(named) == len(SEVEN) + with_parents


MPS = json.dumps({"sharing": {"mps": {"resources": [{"name": "nvidia.com/gpu", "replicas": 2}]}}})


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"MIG_STRATEGY": "mixed"}, "using --mig-strategy=mixed is not supported with MPS"),
        ({"MIG_STRATEGY": "single"}, "using MPS requires --mps-root to be specified"),
        (
            {"MIG_STRATEGY": "single", "MPS_ROOT": "/run/nvidia/mps"},
            "sharing using MPS is not supported for MIG devices",
        ),
    ],
)
def test_mps_and_mig_do_not_go_together(env: Mapping[str, str], message: str) -> None:
    log = Log()
    inside = container(partitioned(SEVEN), env={"CONFIG_FILE": "/config"} | dict(env), log=log, files={"/config": MPS})

    assert asyncio.run(device_plugin(inside)) == 1
    assert log.texts[-1].endswith(message)


@pytest.mark.parametrize("strategy", ["none", "single", "mixed"])
def test_without_nvml_the_plugin_idles_only_where_it_writes_no_cdi_specification(strategy: str) -> None:
    """As the real v0.17.4 to v0.20.0 do, whatever FAIL_ON_INIT_ERROR says."""
    hardware = partitioned(SEVEN)
    hardware.init_error = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH
    env = {"MIG_STRATEGY": strategy, "FAIL_ON_INIT_ERROR": "false"}
    log = Log()
    idle = container(hardware, env=env, log=log)
    idle.stop.set()

    assert asyncio.run(device_plugin(idle)) == 0
    assert "nvml init failed: Driver/library version mismatch" in log.texts
    assert fails(hardware, env | {"DEVICE_LIST_STRATEGY": "cdi-annotations,cdi-cri"}) == (
        "error starting plugins: error getting plugins: unable to create cdi spec file: failed to get CDI spec: failed "
        "to construct device spec generators: failed to initialize NVML: Driver/library version mismatch"
    )
