"""D-06, D-07, D-19: resources; what was recorded is in test_recorded_nodes."""

from __future__ import annotations

import pytest

from conformance.expect.finding import ConformanceError
from conformance.expect.geometry import WantedGpu, observed_geometry
from conformance.expect.resources import Refusal, check_resources, expected_resources, is_uneven, refusal
from conformance.spec.names import Strategy
from conformance.spec.profile import Profile
from tests.expect.made import A100_80, BALANCED, SEVEN, context, gpu


def carrying(**counts: int) -> list[WantedGpu]:
    return [WantedGpu(0, enabled=True, instances={Profile.parse(name): count for name, count in counts.items()})]


@pytest.mark.parametrize("count", [1, 8])
def test_seven_slices_on_each_gpu(count: int) -> None:
    gpus = observed_geometry([gpu(SEVEN, index=index) for index in range(count)])

    assert expected_resources(gpus, Strategy.SINGLE, "v0.20.0") == {"nvidia.com/gpu": 7 * count}
    assert expected_resources(gpus, Strategy.MIXED, "v0.20.0") == {"nvidia.com/mig-1g.10gb": 7 * count}
    assert not is_uneven(gpus)


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

    assert expected_resources(gpus, Strategy.MIXED, "v0.19.3") == before
    assert expected_resources(gpus, Strategy.MIXED, "v0.20.0") == since


def test_equal_profiles_of_two_models_are_not_alike() -> None:
    """A100 80 GB and H100 both have 1g.10gb, with other multiprocessors."""
    gpus = observed_geometry([gpu(SEVEN), gpu(SEVEN, board=A100_80, index=1)])

    assert refusal(gpus, Strategy.SINGLE, "v0.20.0") is Refusal.UNLIKE_DEVICES
    assert is_uneven(gpus)
    assert expected_resources(gpus, Strategy.MIXED, "v0.20.0") == {"nvidia.com/mig-1g.10gb": 14}


def test_a_node_without_gpus_advertises_nothing() -> None:
    assert expected_resources([], Strategy.SINGLE, "v0.20.0") == {}


def test_zero_is_absent_and_other_vendors_do_not_matter() -> None:
    found = {"nvidia.com/gpu": 7, "nvidia.com/mig-1g.10gb": 0, "cpu": 8, "example.com/gpu": 1}

    check_resources(context(), found, {"nvidia.com/gpu": 7})


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"nvidia.com/gpu": 6}, "  expected    nvidia.com/gpu: 7\n  found       nvidia.com/gpu: 6"),
        ({"nvidia.com/gpu": 7, "nvidia.com/mig-1g.10gb": 7}, "  unexpected  nvidia.com/mig-1g.10gb"),
        ({}, "the device plugin does not run or crash-loops (DaemonSet nvidia-device-plugin-daemonset)"),
    ],
)
def test_any_difference_fails(found: dict[str, int], says: str) -> None:
    with pytest.raises(ConformanceError) as failed:
        check_resources(context(), found, {"nvidia.com/gpu": 7})

    assert says in str(failed.value)


def test_the_message_of_several_resources() -> None:
    expected = expected_resources(observed_geometry([gpu(BALANCED)]), Strategy.MIXED, "v0.20.0")

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
