"""D-26: labels of GPU Feature Discovery; test_recorded_nodes.py compares them with recordings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.expect.finding import ConformanceError
from conformance.expect.geometry import observed_geometry
from conformance.expect.label_checks import check_labels, check_timestamp
from conformance.expect.label_parts import family, mode, product
from conformance.expect.labels import expected_labels, is_gfd_label
from conformance.expect.observed import ObservedGpu
from conformance.spec.names import Strategy
from tests.expect.made import SEVEN, context, gpu


def labels_of(gpus: list[ObservedGpu], strategy: Strategy) -> dict[str, str]:
    (labels,) = expected_labels(gpus, observed_geometry(gpus), strategy, None)
    return {key: "something" if value is None else value for key, value in labels.items()}


def failure(found: dict[str, str], strategy: Strategy = Strategy.MIXED) -> str:
    gpus = [gpu(SEVEN)]
    with pytest.raises(ConformanceError) as failed:
        check_labels(
            context(strategy=strategy, requirement="D-26"),
            found,
            expected_labels(gpus, observed_geometry(gpus), strategy, None),
        )
    return str(failed.value)


@pytest.mark.parametrize(
    ("name", "owned"),
    [
        ("nvidia.com/gpu.count", True),
        ("nvidia.com/mig-1g.10gb.count", True),
        ("nvidia.com/mig.strategy", True),
        ("nvidia.com/cuda.driver.major", True),
        ("nvidia.com/gfd.timestamp", True),
        ("nvidia.com/vgpu.present", True),
        ("nvidia.com/gpu.deploy.dcgm", False),
        ("nvidia.com/gpu.present", False),
        ("nvidia.com/mig.config", False),
        ("nvidia.com/mig.config.state", False),
        ("nvidia.com/gpu.workload.config", False),
        ("nvidia.com/gpu-driver-upgrade-state", False),
        ("kubernetes.io/hostname", False),
    ],
)
def test_which_labels_belong_to_gfd(name: str, owned: bool) -> None:
    assert is_gfd_label(name) is owned


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("NVIDIA H100 80GB HBM3", "NVIDIA-H100-80GB-HBM3"),
        ("NVIDIA A100-SXM4-40GB", "NVIDIA-A100-SXM4-40GB"),
        ("Odd (name), 2.0_x", "Odd-name-2.0_x"),
    ],
)
def test_product(name: str, cleaned: str) -> None:
    assert product(name) == cleaned


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((7, 0), "volta"),
        ((7, 5), "turing"),
        ((8, 0), "ampere"),
        ((8, 9), "ada-lovelace"),
        ((9, 0), "hopper"),
        ((10, 3), "blackwell"),
        ((12, 0), "blackwell"),
        ((13, 0), "rubin"),
        ((11, 0), None),
    ],
)
def test_family(capability: tuple[int, int], expected: str | None) -> None:
    assert family(*capability) == expected


@pytest.mark.parametrize(
    ("capability", "version", "expected"),
    [
        ((8, 9), "v0.17.0", "ampere"),
        ((8, 9), "v0.17.1", "ada-lovelace"),
        ((10, 0), "v0.17.1", "undefined"),
        ((10, 0), "v0.17.2", "blackwell"),
        ((12, 0), "v0.17.0", "undefined"),
        ((13, 0), "v0.19.3", "undefined"),
        ((7, 5), "v0.17.0", "turing"),
        ((9, 0), "v0.17.0", "hopper"),
    ],
)
def test_older_programs_do_not_know_newer_families(capability: tuple[int, int], version: str, expected: str) -> None:
    """From k8s-device-plugin, internal/lm/resource.go at these tags."""
    assert family(*capability, version) == expected


def test_labels_are_those_of_the_version() -> None:
    gpus = [gpu(mode=True, board="b200-180gb")]

    (old,) = expected_labels(gpus, observed_geometry(gpus), Strategy.MIXED, None, version="v0.17.0")
    (new,) = expected_labels(gpus, observed_geometry(gpus), Strategy.MIXED, None)

    assert dict(old.items() ^ new.items()).keys() == {"nvidia.com/gpu.family"}
    assert (old["nvidia.com/gpu.family"], new["nvidia.com/gpu.family"]) == ("undefined", "blackwell")


@pytest.mark.parametrize("strategy", Strategy)
def test_complete_labels_pass_and_other_labels_are_ignored(strategy: Strategy) -> None:
    gpus = [gpu(SEVEN)]
    others = {"nvidia.com/gpu.present": "true", "nvidia.com/gfd.timestamp": "1", "nvidia.com/gpu.clique": "a.1"}

    check_labels(
        context(), labels_of(gpus, strategy) | others, expected_labels(gpus, observed_geometry(gpus), strategy, None)
    )


def test_a_missing_an_unexpected_and_a_wrong_label() -> None:
    found = labels_of([gpu(SEVEN)], Strategy.MIXED)
    del found["nvidia.com/gpu.family"]
    found |= {"nvidia.com/mig-1g.10gb.count": "8", "nvidia.com/mig-2g.20gb.count": "3"}

    assert failure(found) == (
        "D-26 labels of node sim-0 under mixed, all-1g.10gb\n"
        "  expected    nvidia.com/gpu.family: hopper\n"
        "              nvidia.com/mig-1g.10gb.count: 7\n"
        "  found       nvidia.com/mig-1g.10gb.count: 8\n"
        "              nvidia.com/mig-2g.20gb.count: 3\n"
        "  missing     nvidia.com/gpu.family   unexpected  nvidia.com/mig-2g.20gb.count"
    )


def test_labels_of_the_previous_geometry() -> None:
    found = labels_of([gpu(SEVEN)], Strategy.MIXED) | {"nvidia.com/mig-3g.40gb.count": "2"}

    assert failure(found).endswith(
        "  unexpected  nvidia.com/mig-3g.40gb.count\n"
        "  likely      labels of the previous geometry were not removed (DaemonSet gpu-feature-discovery)"
    )


def test_a_label_with_any_value_must_not_be_empty() -> None:
    found = labels_of([gpu(SEVEN)], Strategy.MIXED) | {"nvidia.com/gpu.machine": ""}

    assert "expected    nvidia.com/gpu.machine: (any)\n  found       nvidia.com/gpu.machine: ''" in failure(found)


def test_multiprocessors_are_compared_with_the_table_not_with_the_driver() -> None:
    """The table has 16; a label of 15 is wrong even if the device reports 15 as well."""
    found = labels_of([gpu(SEVEN)], Strategy.SINGLE) | {"nvidia.com/gpu.multiprocessors": "15"}

    assert "expected    nvidia.com/gpu.multiprocessors: 16" in failure(found, Strategy.SINGLE)


def test_compute_capability_is_compared_with_the_table_not_with_the_driver() -> None:
    odd = replace(gpu(SEVEN), capability=(9, 1))
    (labels,) = expected_labels([odd], observed_geometry([odd]), Strategy.MIXED, None)

    assert labels["nvidia.com/gpu.compute.minor"] == "0"


@pytest.mark.parametrize(
    ("classes", "expected"),
    [(["0302"], "compute"), (["0300"], "graphics"), (["0300", "0302"], None), ([], None)],
)
def test_mode_follows_the_pci_class_in_the_labels_of_nfd(classes: list[str], expected: str | None) -> None:
    found = {f"feature.node.kubernetes.io/pci-{each}_10de.present": "true" for each in classes}

    assert mode(found | {"feature.node.kubernetes.io/pci-10de.present": "true"}) == expected
    gpus = [gpu()]
    (labels,) = expected_labels(gpus, observed_geometry(gpus), Strategy.MIXED, None, found)
    assert labels["nvidia.com/gpu.mode"] == expected


def test_any_size_is_accepted_if_the_hardware_was_not_read() -> None:
    bare = [gpu(mode=True)]
    wanted = observed_geometry([gpu(SEVEN)])
    (labels,) = expected_labels(bare, wanted, Strategy.SINGLE, None)

    assert labels["nvidia.com/gpu.memory"] is None
    assert (labels["nvidia.com/gpu.count"], labels["nvidia.com/gpu.slices.gi"]) == ("7", "1")


@pytest.mark.parametrize(
    ("before", "found", "restarted"),
    [
        ("1780000100", "1780000101", True),
        ("1780000100", "1780000100", False),
        (None, "1780000005", True),
        ("soon", "1780000005", True),
    ],
)
def test_timestamps_that_pass(before: str | None, found: str, restarted: bool) -> None:
    check_timestamp(context(), before, found, restarted=restarted)


@pytest.mark.parametrize(
    ("before", "found", "restarted", "says"),
    [
        (
            "1780000100",
            "1780000100",
            True,
            [
                "  expected    nvidia.com/gfd.timestamp: more than 1780000100",
                "  found       nvidia.com/gfd.timestamp: 1780000100",
                "  likely      the labels were written before the change (DaemonSet gpu-feature-discovery)",
            ],
        ),
        (
            "1780000100",
            "1780000101",
            False,
            [
                "  expected    nvidia.com/gfd.timestamp: 1780000100",
                "  found       nvidia.com/gfd.timestamp: 1780000101",
                "  likely      DaemonSet gpu-feature-discovery was restarted although nothing had to change",
            ],
        ),
        (
            "1780000100",
            "1780000101000",
            True,
            [
                "  expected    nvidia.com/gfd.timestamp: Unix seconds",
                "  found       nvidia.com/gfd.timestamp: 1780000101000",
            ],
        ),
        ("1780000100", None, True, ["  expected    nvidia.com/gfd.timestamp: Unix seconds", "  found       nothing"]),
    ],
)
def test_timestamps_that_fail(before: str, found: str | None, restarted: bool, says: list[str]) -> None:
    with pytest.raises(ConformanceError) as failed:
        check_timestamp(context(requirement="D-26"), before, found, restarted=restarted)

    assert str(failed.value).splitlines() == ["D-26 timestamp of node sim-0 under single, all-1g.10gb", *says]
