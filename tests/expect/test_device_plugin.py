"""The resources and refusals that are expected agree with the simulated device plugin, on whatever GPUs carry.

The two share no rule: the simulator follows the source of the plugin through NVML, the expectation follows the
description through the probe.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.expect.device_plugin import DevicePlugin, Refusal, refusal, resource_name
from conformance.expect.finding import CheckContext
from conformance.expect.geometry import observed_geometry
from conformance.expect.node import ExpectedNode, expected_node
from conformance.expect.readings import read_probe
from conformance.expect.resources import expected_resources
from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.settings import Settings
from conformance.sim.device_plugin.start import StartError, start
from conformance.sim.device_plugin.versions import behaviour_of
from conformance.sim.faults import Faults
from conformance.sim.hardware import DriverError, Gpu, NodeHardware
from conformance.sim.hardware.compute import SIZES
from conformance.sim.nvml import Nvml
from conformance.spec.mig_parted import Entry
from conformance.spec.models import board_names, find_board, load_models
from conformance.spec.names import Strategy
from conformance.spec.profile import Profile
from tests.probe.running import run_probe

CDI = ("cdi-annotations", "cdi-cri")
BOARDS = [name for name in board_names() if find_board(name)[0].memory_total_mib]
"""Without those that use the memory of their host: go-nvlib cannot name their profiles."""
VERSIONS = st.sampled_from(["v0.17.4", "v0.18.1", "v0.19.3", "v0.20.0"])


def fill(gpu: Gpu, instances: Sequence[tuple[int, Sequence[int]]]) -> None:
    """Create instances by number of the profile, and in each compute instances by size, as far as there is room."""
    for number, sizes in instances:
        row = gpu.model.profiles[number % len(gpu.model.profiles)]
        with suppress(DriverError):
            instance = gpu.create_instance(row)
            for size in sizes:
                with suppress(DriverError):
                    gpu.create_compute_instance(instance, size)


GPU = st.tuples(
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 20), st.lists(st.sampled_from(list(SIZES)), max_size=3)), max_size=4),
)


@given(
    st.sampled_from(BOARDS), st.lists(GPU, min_size=1, max_size=3), st.sampled_from(Strategy),
    st.booleans(), VERSIONS,
)  # fmt: skip
def test_resources_are_those_of_the_simulated_plugin(
    board: str, gpus: list[tuple[bool, list[tuple[int, list[int]]]]], strategy: Strategy, cdi: bool, version: str
) -> None:
    hardware = NodeHardware([board] * len(gpus))
    for gpu, (enabled, instances) in zip(hardware.gpus, gpus, strict=True):
        gpu.mode_current = gpu.mode_pending = enabled
        fill(gpu, instances if enabled else ())
    geometry = observed_geometry(read_probe(run_probe(hardware)))
    plugin = DevicePlugin(version, cdi=cdi)

    found, said = advertised(hardware, strategy, plugin)

    assert expected_resources(geometry, strategy, plugin) == found
    reason = refusal(geometry, strategy, plugin)
    assert (reason or "") in said
    assert bool(reason) == bool(said)


def advertised(hardware: NodeHardware, strategy: Strategy, plugin: DevicePlugin) -> tuple[dict[str, int], str]:
    """Return the resources of the simulated plugin with their counts, and why it ended, if it did."""
    settings = Settings(strategy=strategy, device_list=CDI if plugin.cdi else ("envvar",))
    try:
        started = start(
            Nvml(hardware),
            settings,
            behaviour_of(plugin.version),
            faults=Faults(),
            log=Klog(lambda _: None, lambda: datetime.now(UTC)),
        )
    except StartError as error:
        return {}, str(error)
    return {server.resource: len(server.devices()) for server in started.servers}, ""


def carrying(entry: str, strategy: Strategy, version: str = "v0.20.0") -> ExpectedNode:
    """What an H100 with these MIG devices must show."""
    hardware = NodeHardware(["h100-80gb-hbm3"])
    counts = dict(re.findall(r"(\S+) x (\d)", entry)) if " x " in entry else {entry: "2"}
    entries = (Entry(devices=None, enabled=True, mig_devices={name: int(n) for name, n in counts.items()}),)
    context = CheckContext((), "sim-0", strategy, "mine")
    gpus = read_probe(run_probe(hardware))
    plugin = DevicePlugin(version, cdi=True)
    return expected_node(context, gpus, entries, mig_manager="v0.15.0", device_plugin=plugin)


@pytest.mark.parametrize(
    ("profile", "version", "resource"),
    [
        ("1c.3g.40gb", "v0.20.0", "nvidia.com/mig-1c.3g.40gb"),
        ("1c.3g.40gb", "v0.19.3", "nvidia.com/mig-3g.40gb"),
        ("1g.10gb+me", "v0.20.0", "nvidia.com/mig-1g.10gb.me"),
        ("1g.10gb+me", "v0.19.3", "nvidia.com/mig-1g.10gb"),
    ],
)
def test_a_pod_can_ask_for_a_slice_that_the_plugin_refuses(profile: str, version: str, resource: str) -> None:
    """Under `single` it must stay Pending, whether or not `mixed` would advertise the slice."""
    single, mixed = carrying(profile, Strategy.SINGLE, version), carrying(profile, Strategy.MIXED, version)

    assert single.resource_of_other_strategy == resource
    assert mixed.resource_of_other_strategy == "nvidia.com/gpu"
    assert set(mixed.resources) <= {resource}


@pytest.mark.parametrize("strategy", [Strategy.SINGLE, Strategy.MIXED])
def test_without_devices_a_pod_can_ask_for_a_gpu(strategy: Strategy) -> None:
    node = replace(carrying("1g.10gb", strategy), wanted=())

    assert node.resource_of_other_strategy == "nvidia.com/gpu"


def test_an_older_plugin_may_give_a_device_of_a_longer_name() -> None:
    older = carrying("1g.10gb+me x 1, 1g.10gb x 6", Strategy.MIXED, "v0.19.3")
    newer = carrying("1g.10gb+me x 1, 1g.10gb x 6", Strategy.MIXED)

    assert older.resources == {"nvidia.com/mig-1g.10gb": 7}
    assert older.profile_of("nvidia.com/mig-1g.10gb") is None
    assert newer.profile_of("nvidia.com/mig-1g.10gb") == Profile.parse("1g.10gb")
    assert newer.profile_of("nvidia.com/mig-1g.10gb.me") == Profile.parse("1g.10gb+me")
    assert carrying("1c.3g.40gb", Strategy.MIXED, "v0.19.3").profile_of("nvidia.com/mig-3g.40gb") == Profile(1, 3, 40)


@pytest.mark.parametrize(
    ("board", "first", "second", "alike"),
    [
        ("rtx-pro-6000-96gb", "1g.24gb", "1g.24gb+gfx", True),
        ("rtx-pro-6000-96gb", "1g.24gb", "1g.24gb-me", False),
        ("rtx-pro-6000-96gb", "1g.24gb", "1g.24gb+me", False),
        ("rtx-pro-6000-96gb", "1c.2g.48gb", "1c.2g.48gb+gfx", True),
        ("rtx-pro-6000-96gb", "1c.2g.48gb", "2g.48gb", False),
        ("h100-80gb-hbm3", "1g.10gb", "1g.10gb+me", False),
        ("h100-80gb-hbm3", "1c.3g.40gb", "2c.3g.40gb", False),
    ],
)
def test_single_compares_attributes_and_not_names(board: str, first: str, second: str, alike: bool) -> None:
    """Only engines, memory, slices and multiprocessors count; graphics is none of them."""
    model, product = find_board(board)
    gpus = read_probe(run_probe(NodeHardware([board])))
    entry = Entry(devices=None, enabled=True, mig_devices={first: 1, second: 1})
    context = CheckContext((), "sim-0", Strategy.SINGLE, "mine")
    plugin = DevicePlugin("v0.20.0", cdi=True)
    node = expected_node(context, gpus, (entry,), mig_manager="v0.15.0", device_plugin=plugin)

    assert model.name in load_models()
    assert product.name == gpus[0].name
    assert node.refusal == ("" if alike else Refusal.UNLIKE_DEVICES)
    assert node.resources == ({"nvidia.com/gpu": 2} if alike else {})


@pytest.mark.parametrize("version", ["v0.19.3", "v0.20.0"])
def test_the_resources_of_a_node_have_the_names_of_its_profiles(version: str) -> None:
    plugin = DevicePlugin(version)
    for model in load_models().values():
        for row in model.profiles:
            name = resource_name(row.profile, plugin)
            assert re.fullmatch(r"nvidia\.com/mig-\d+g\.\d+gb(\.me\.all|\.me|\.gfx|-me)?", name)
            assert len(name.partition("/")[2]) <= 63
