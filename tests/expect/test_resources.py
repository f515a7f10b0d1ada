"""D-06, D-07, D-19: resources; test_recorded_nodes.py compares them with recordings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.expect.device_plugin import DevicePlugin, Refusal, refusal
from conformance.expect.finding import ConformanceError
from conformance.expect.geometry import WantedGpu, observed_geometry
from conformance.expect.resources import Leftover, check_capacity, check_resources, expected_resources
from conformance.spec.names import Strategy
from conformance.spec.profile import Profile
from tests.expect.made import A100_80, BALANCED, SEVEN, context, gpu

PLUGIN, OLDER = DevicePlugin("v0.20.0"), DevicePlugin("v0.19.3")


def carrying(**counts: int) -> list[WantedGpu]:
    return [WantedGpu(0, enabled=True, instances={Profile.parse(name): count for name, count in counts.items()})]


@pytest.mark.parametrize("count", [1, 8])
def test_seven_slices_on_each_gpu(count: int) -> None:
    gpus = observed_geometry([gpu(SEVEN, index=index) for index in range(count)])

    assert expected_resources(gpus, Strategy.SINGLE, PLUGIN) == {"nvidia.com/gpu": 7 * count}
    assert expected_resources(gpus, Strategy.MIXED, PLUGIN) == {"nvidia.com/mig-1g.10gb": 7 * count}
    assert refusal(gpus, Strategy.SINGLE, PLUGIN) is None


@pytest.mark.parametrize(
    ("profile", "before", "since"),
    [
        ("1c.3g.40gb", {"nvidia.com/mig-3g.40gb": 2}, {}),
        ("1g.10gb+me", {"nvidia.com/mig-1g.10gb": 2}, {"nvidia.com/mig-1g.10gb.me": 2}),
        ("1g.24gb-me", {"nvidia.com/mig-1g.24gb": 2}, {"nvidia.com/mig-1g.24gb-me": 2}),
        ("1g.10gb", {"nvidia.com/mig-1g.10gb": 2}, {"nvidia.com/mig-1g.10gb": 2}),
    ],
)
def test_names_matched_within_longer_ones_before_v0_20(
    profile: str, before: dict[str, int], since: dict[str, int]
) -> None:
    gpus = carrying(**{profile: 2})

    assert expected_resources(gpus, Strategy.MIXED, OLDER) == before
    assert expected_resources(gpus, Strategy.MIXED, PLUGIN) == since


def test_equal_profiles_of_two_models_are_not_alike() -> None:
    """A100 80 GB and H100 both have 1g.10gb, with other multiprocessors."""
    gpus = observed_geometry([gpu(SEVEN), gpu(SEVEN, board=A100_80, index=1)])

    assert refusal(gpus, Strategy.SINGLE, PLUGIN) is Refusal.UNLIKE_DEVICES
    assert expected_resources(gpus, Strategy.MIXED, PLUGIN) == {"nvidia.com/mig-1g.10gb": 14}


EMPTY, WHOLE = gpu(mode=True), gpu(index=1)


@pytest.mark.parametrize("version", ["v0.18.0", "v0.19.0", "v0.20.0"])
@pytest.mark.parametrize("strategy", [Strategy.MIXED, Strategy.NONE])
def test_cdi_without_any_device_ends_the_plugin(strategy: Strategy, version: str) -> None:
    """Where a GPU has MIG off, or a GPU has a MIG device, the specification has a device."""
    plugin = DevicePlugin(version, cdi=True)

    assert refusal(observed_geometry([EMPTY]), strategy, plugin) is Refusal.EMPTY_CDI
    assert expected_resources(observed_geometry([EMPTY]), strategy, plugin) == {}
    for gpus in ([EMPTY, WHOLE], [EMPTY, gpu(SEVEN, index=1)], [WHOLE]):
        assert refusal(observed_geometry(gpus), strategy, plugin) is None


@pytest.mark.parametrize("plugin", [DevicePlugin("v0.20.0"), DevicePlugin("v0.17.4", cdi=True)])
def test_without_cdi_or_before_v0_18_the_plugin_waits_for_devices(plugin: DevicePlugin) -> None:
    assert refusal(observed_geometry([EMPTY]), Strategy.MIXED, plugin) is None
    assert expected_resources(observed_geometry([EMPTY]), Strategy.MIXED, plugin) == {}


def test_under_single_the_empty_gpu_is_noticed_before_the_specification() -> None:
    plugin = DevicePlugin("v0.20.0", cdi=True)

    assert refusal(observed_geometry([EMPTY]), Strategy.SINGLE, plugin) is Refusal.EMPTY_GPU


def test_a_node_without_gpus_advertises_nothing() -> None:
    for strategy in Strategy:
        assert expected_resources([], strategy, DevicePlugin("v0.20.0", cdi=True)) == {}


def test_a_count_of_zero_and_other_vendors_are_ignored() -> None:
    found = {"nvidia.com/gpu": 7, "nvidia.com/mig-1g.10gb": 0, "cpu": 8, "example.com/gpu": 1}

    check_resources(context(), found, {"nvidia.com/gpu": 7})


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"nvidia.com/gpu": 6}, "  expected    nvidia.com/gpu: 7\n  found       nvidia.com/gpu: 6"),
        ({"nvidia.com/gpu": 7, "nvidia.com/mig-1g.10gb": 7}, "  unexpected  nvidia.com/mig-1g.10gb"),
        ({}, "the device plugin is not running or crash-loops (DaemonSet nvidia-device-plugin-daemonset)"),
    ],
)
def test_any_difference_fails(found: dict[str, int], says: str) -> None:
    with pytest.raises(ConformanceError) as failed:
        check_resources(context(), found, {"nvidia.com/gpu": 7})

    assert says in str(failed.value)


COUNTS = st.dictionaries(st.sampled_from(["nvidia.com/gpu", "nvidia.com/mig-1g.10gb", "cpu"]), st.integers(0, 3))


@given(COUNTS, COUNTS)
def test_resources_are_right_if_and_only_if_they_are_equal(found: dict[str, int], expected: dict[str, int]) -> None:
    """Too many are as wrong as too few; what is not `nvidia.com/` or 0 does not count."""
    wanted = {name: count for name, count in expected.items() if name != "cpu"}
    counted = {name: count for name, count in found.items() if count and name != "cpu"}

    if counted == {name: count for name, count in wanted.items() if count}:
        check_resources(context(), found, wanted)
    else:
        with pytest.raises(ConformanceError):
            check_resources(context(), found, wanted)


def test_the_message_of_several_resources() -> None:
    expected = expected_resources(observed_geometry([gpu(BALANCED)]), Strategy.MIXED, PLUGIN)

    with pytest.raises(ConformanceError) as failed:
        check_resources(
            context("all-balanced", Strategy.MIXED, "D-07"),
            {"nvidia.com/mig-1g.10gb": 2, "nvidia.com/gpu": 1},
            expected,
        )

    assert str(failed.value) == (
        "D-07 resources of node sim-0 under mixed, all-balanced\n"
        "  expected    nvidia.com/mig-1g.10gb: 2\n"
        "              nvidia.com/mig-2g.20gb: 1\n"
        "              nvidia.com/mig-3g.40gb: 1\n"
        "  found       nvidia.com/gpu: 1\n"
        "              nvidia.com/mig-1g.10gb: 2\n"
        "  missing     nvidia.com/mig-2g.20gb\n"
        "              nvidia.com/mig-3g.40gb\n"
        "  unexpected  nvidia.com/gpu"
    )


# Capacity -----------------------------------------------------------------------------------------------------------

GRACE, NOW = 300.0, 1000.0
SLICE, GPU = "nvidia.com/mig-1g.10gb", "nvidia.com/gpu"
TIMES = st.floats(0, NOW)


@pytest.mark.parametrize(
    ("gone", "forgotten", "back", "over"),
    [
        (100.0, 399.0, None, None),
        (100.0, 400.0, None, None),
        (100.0, 410.0, None, 10.0),
        (100.0, None, None, 600.0),
        (800.0, None, None, None),
        (100.0, None, 350.0, None),
        (100.0, None, 450.0, 50.0),
        (100.0, 500.0, 350.0, None),
        (100.0, 350.0, 500.0, None),
    ],
    ids=[
        "forgotten in time", "at the last moment", "too late", "never", "not watched for long enough", "back in time",
        "back too late", "back, then forgotten", "forgotten, then back",
    ],
)  # fmt: skip
def test_how_long_a_resource_outlived_its_grace(
    gone: float, forgotten: float | None, back: float | None, over: float | None
) -> None:
    assert Leftover(SLICE, 7, gone, forgotten, back).outlived(GRACE, NOW) == over


@pytest.mark.parametrize(
    ("forgotten", "away", "over"),
    [
        (600.0, ((200.0, 500.0),), None),
        (800.0, ((200.0, 300.0), (350.0, 370.0)), 280.0),
        (800.0, ((0.0, 150.0),), 350.0),
        (800.0, ((650.0, 900.0),), 250.0),
        (None, ((900.0, 950.0),), 550.0),
        (800.0, (), 400.0),
    ],
)
def test_while_a_node_is_not_ready_kubelet_cannot_forget(
    forgotten: float | None, away: tuple[tuple[float, float], ...], over: float | None
) -> None:
    assert Leftover(SLICE, 7, 100.0, forgotten, None, away).outlived(300.0, 1000.0) == over


@given(TIMES, st.none() | TIMES, st.none() | TIMES)
def test_a_resource_outlives_the_grace_only_if_it_was_watched_for_longer(
    gone: float, forgotten: float | None, back: float | None
) -> None:
    one = Leftover(SLICE, 7, gone, forgotten, back)
    watched = min((time for time in (forgotten, back) if time is not None), default=NOW) - gone

    assert (one.outlived(GRACE, NOW) is None) == (watched <= GRACE)


def capacity(found: dict[str, int], *leftovers: Leftover) -> None:
    check_capacity(context(requirement="D-06"), found, {GPU: 7}, leftovers, grace=GRACE, now=NOW)


def test_a_resource_that_is_gone_may_be_counted_during_the_grace() -> None:
    capacity({GPU: 7})
    capacity({GPU: 7, SLICE: 0, "cpu": 8})
    capacity({GPU: 7, SLICE: 14}, Leftover(SLICE, 14, 100.0, 380.0, None))


def test_a_resource_that_is_counted_for_too_long_is_named() -> None:
    with pytest.raises(ConformanceError) as failed:
        capacity({GPU: 7, SLICE: 14}, Leftover(SLICE, 14, 100.0, None, None))

    assert str(failed.value) == (
        "D-06 capacity of node sim-0 under single, all-1g.10gb\n"
        "  expected    nvidia.com/gpu: 7\n"
        "  found       nvidia.com/gpu: 7\n"
        "              nvidia.com/mig-1g.10gb: 14\n"
        "  unexpected  nvidia.com/mig-1g.10gb\n"
        "  likely      kubelet counts nvidia.com/mig-1g.10gb for more than 300 s after it was gone"
    )


@pytest.mark.parametrize("found", [{}, {GPU: 6}, {GPU: 8}, {GPU: 7, SLICE: 7}])
def test_the_grace_is_only_for_resources_that_are_gone(found: dict[str, int]) -> None:
    """A wrong count has none, nor a resource that the node never advertised."""
    with pytest.raises(ConformanceError, match="capacity of node sim-0"):
        capacity(found)


LEFTOVERS = st.builds(
    Leftover,
    resource=st.sampled_from([SLICE, "nvidia.com/mig-2g.20gb"]),
    count=st.integers(1, 56),
    gone=TIMES,
    forgotten=st.none() | TIMES,
    back=st.none() | TIMES,
)


@given(st.lists(LEFTOVERS, max_size=2, unique_by=lambda one: one.resource))
def test_capacity_is_right_if_and_only_if_nothing_outlived_the_grace(leftovers: list[Leftover]) -> None:
    found = {GPU: 7} | {one.resource: one.count for one in leftovers}
    late = {one.resource for one in leftovers if one.outlived(GRACE, NOW)}

    if not late:
        capacity(found, *leftovers)
        return
    with pytest.raises(ConformanceError) as failed:
        capacity(found, *leftovers)
    assert set(failed.value.finding.unexpected) == late
