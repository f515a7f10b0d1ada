"""Labels, resources and listing of a node agree, whoever made its MIG devices."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from conformance.expect.as_found import check_counts, check_listing, check_not_failed, check_settled
from conformance.expect.device_plugin import DevicePlugin
from conformance.expect.finding import ConformanceError
from conformance.expect.observed import ListedGpu
from conformance.expect.readings import read_device_list
from conformance.spec.names import Strategy
from tests.expect.made import context

NEW, OLD = DevicePlugin("v0.20.0"), DevicePlugin("v0.19.0")
SINGLE, MIXED = Strategy.SINGLE, Strategy.MIXED
SLICED = {"gpu.count": "1", "gpu.replicas": "0", "mig-1g.10gb.count": "2", "mig-1g.10gb.me.count": "1"}
HALF = {"gpu.count": "2", "gpu.replicas": "1", "mig-1g.10gb.count": "7"}
INVALID = {"gpu.count": "0", "gpu.replicas": "0"}
SMALLER = {"gpu.count": "1", "gpu.replicas": "0", "mig-1c.3g.40gb.count": "3"}
LISTED = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-00000000-0000-0000-0000-000000000000)
  MIG 1g.10gb+me  Device  0: (UUID: MIG-1)
  MIG 1g.10gb     Device  1: (UUID: MIG-2)
  MIG 1g.10gb     Device  2: (UUID: MIG-3)
"""


def full(names: dict[str, str]) -> dict[str, str]:
    return {f"nvidia.com/{name}": value for name, value in names.items()}


@pytest.mark.parametrize(
    ("strategy", "labels", "allocatable", "plugin", "right"),
    [
        (SINGLE, {"gpu.count": "8"}, {"gpu": 8}, NEW, True),
        (SINGLE, {"gpu.count": "8"}, {"gpu": 7}, NEW, False),
        (SINGLE, {"gpu.count": "8"}, {"gpu": 8, "mig-1g.10gb": 1}, NEW, False),
        (SINGLE, {"gpu.count": "8"}, {"gpu": 8, "mig-1g.10gb": 0}, NEW, True),
        (SINGLE, INVALID, {}, NEW, True),
        (SINGLE, INVALID, {"gpu": 1}, NEW, False),
        (MIXED, SLICED, {"mig-1g.10gb": 2, "mig-1g.10gb.me": 1}, NEW, True),
        (MIXED, SLICED, {"mig-1g.10gb": 3}, NEW, False),
        (MIXED, SLICED, {"mig-1g.10gb": 3}, OLD, True),
        (MIXED, SLICED, {"mig-1g.10gb": 2, "mig-1g.10gb.me": 1, "gpu": 1}, NEW, False),
        (MIXED, HALF, {"mig-1g.10gb": 7, "gpu": 1}, NEW, True),
        (MIXED, HALF, {"mig-1g.10gb": 6, "gpu": 1}, NEW, False),
        (MIXED, SMALLER, {}, NEW, True),
    ],
)
def test_counts(
    strategy: Strategy, labels: dict[str, str], allocatable: dict[str, int], plugin: DevicePlugin, right: bool
) -> None:
    advertised = {f"nvidia.com/{name}": count for name, count in allocatable.items()} | {"cpu": 4}

    with nullcontext() if right else pytest.raises(ConformanceError):
        check_counts(context(strategy=strategy), full(labels), advertised, strategy, plugin)


@pytest.mark.parametrize(
    ("strategy", "labels", "allocatable", "right"),
    [
        (SINGLE, {"gpu.count": "4"}, {"gpu": 4}, True),
        (SINGLE, {"gpu.count": "4"}, {"gpu": 8}, True),
        (SINGLE, {"gpu.count": "4"}, {"gpu": 3}, False),
        (SINGLE, {"gpu.count": "14", "gpu.slices.gi": "1"}, {"gpu": 14}, True),
        (SINGLE, {"gpu.count": "14", "gpu.slices.gi": "1"}, {}, False),
        (MIXED, SLICED, {"mig-1g.10gb": 2, "mig-1g.10gb.me": 1, "gpu": 1}, True),
    ],
)
def test_a_node_may_have_models_that_nobody_knows_of(
    strategy: Strategy, labels: dict[str, str], allocatable: dict[str, int], right: bool
) -> None:
    """Without exec, and without a file that mig-manager generated, labels tell one model alone."""
    advertised = {f"nvidia.com/{name}": count for name, count in allocatable.items()}

    with nullcontext() if right else pytest.raises(ConformanceError):
        check_counts(context(strategy=strategy), full(labels), advertised, strategy, NEW, models=None)


@pytest.mark.parametrize(
    ("strategy", "labels", "allocatable", "right"),
    [
        (SINGLE, {"gpu.count": "4"}, {"gpu": 8}, True),
        (SINGLE, {"gpu.count": "4"}, {"gpu": 4}, False),
        (SINGLE, {"gpu.count": "22", "gpu.slices.gi": "1"}, {}, True),
        (SINGLE, {"gpu.count": "22", "gpu.slices.gi": "1"}, {"gpu": 22}, False),
        (SINGLE, INVALID, {}, True),
        (SINGLE, INVALID, {"gpu": 1}, False),
        (MIXED, SLICED, {"mig-1g.10gb": 2, "mig-1g.10gb.me": 1, "gpu": 1}, True),
        (MIXED, SLICED, {"mig-1g.10gb": 3, "mig-1g.10gb.me": 1, "gpu": 1}, False),
    ],
)
def test_labels_count_the_gpus_of_one_model(
    strategy: Strategy, labels: dict[str, str], allocatable: dict[str, int], right: bool
) -> None:
    """The node has another model too; `single` advertises no MIG devices then, though the labels count them."""
    advertised = {f"nvidia.com/{name}": count for name, count in allocatable.items()}

    with nullcontext() if right else pytest.raises(ConformanceError):
        check_counts(context(strategy=strategy), full(labels), advertised, strategy, NEW, models=2)


@pytest.mark.parametrize(
    ("strategy", "labels", "right"),
    [
        (MIXED, SLICED, True),
        (MIXED, SLICED | {"mig-1g.10gb.count": "3"}, False),
        (MIXED, SLICED | {"gpu.count": "2"}, False),
        (SINGLE, {"gpu.count": "3"}, True),
        (SINGLE, {"gpu.count": "4"}, False),
        (SINGLE, INVALID, True),
    ],
)
def test_listing(strategy: Strategy, labels: dict[str, str], right: bool) -> None:
    gpus = read_device_list(LISTED).gpus

    with nullcontext() if right else pytest.raises(ConformanceError):
        check_listing(context(strategy=strategy), full(labels), gpus, strategy)


@pytest.mark.parametrize(("counted", "right"), [("1", True), ("3", False)])
@pytest.mark.parametrize("strategy", [SINGLE, MIXED])
def test_a_listing_is_compared_with_the_model_that_the_labels_name(
    strategy: Strategy, counted: str, right: bool
) -> None:
    names = ["NVIDIA A100-SXM4-40GB", "NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-40GB"]
    gpus = [ListedGpu(index, name, f"GPU-{index}", ()) for index, name in enumerate(names)]
    labels = {"gpu.product": "NVIDIA-H100-80GB-HBM3", "gpu.count": counted}

    with nullcontext() if right else pytest.raises(ConformanceError):
        check_listing(context(strategy=strategy), full(labels), gpus, strategy)


@pytest.mark.parametrize(
    ("labels", "right"),
    [
        ({}, True),
        ({"mig.config": "all-enable"}, True),
        ({"mig.config": "all-enable", "mig.config.state": "pending"}, True),
        ({"mig.config": "all-enable", "mig.config.state": "success"}, True),
        ({"mig.config.state": "failed"}, True),
        ({"mig.config": "all-enable", "mig.config.state": "failed"}, False),
    ],
)
def test_failed_configuration(labels: dict[str, str], right: bool) -> None:
    with nullcontext() if right else pytest.raises(ConformanceError, match="no configuration is named all-enable"):
        check_not_failed(context(), full(labels), ["all-disabled"])


@pytest.mark.parametrize(
    ("labels", "left"),
    [
        ({}, ""),
        ({"nvidia.com/mig.config.state": "success", "nvidia.com/gpu.deploy.dcgm": "false"}, ""),
        ({"nvidia.com/mig.config.state": "failed"}, ""),
        ({"nvidia.com/mig.config.state": "pending"}, "nvidia.com/mig.config.state=pending"),
        ({"nvidia.com/mig.config.state": "rebooting"}, "nvidia.com/mig.config.state=rebooting"),
        ({"nvidia.com/gpu.deploy.dcgm": "paused-for-mig-change"}, "gpu.deploy.dcgm=paused-for-mig-change"),
    ],
)
def test_a_change_that_has_not_ended(labels: dict[str, str], left: str) -> None:
    if not left:
        check_settled(context(), labels)
        return
    with pytest.raises(ConformanceError) as raised:
        check_settled(context(), labels)
    assert left in str(raised.value)
