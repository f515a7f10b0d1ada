"""A node that may not be touched, described from its labels."""

from __future__ import annotations

import pytest

from conformance.expect.finding import CheckContext
from conformance.expect.node import expected_node
from conformance.expect.observed import ObservedGpu
from conformance.spec.names import GPU_COUNT, GPU_PRODUCT
from conformance.suite.as_found import gpus_as_found
from conformance.suite.cells import Cell
from tests.suite.made import H100, cell, target
from tests.suite.memory import H100_LABEL
from tests.suite.nodes import DEVICE_PLUGIN, MIG_MANAGER


def resources(gpus: tuple[ObservedGpu, ...], at: Cell) -> dict[str, int]:
    context = CheckContext((), "sim-0", at.strategy, at.configuration)
    entries = target().entries(at.configuration)
    expected = expected_node(context, gpus, entries, mig_manager=MIG_MANAGER, device_plugin=DEVICE_PLUGIN)
    return dict(expected.resources)


@pytest.mark.parametrize(
    ("found", "product", "count", "gpus", "advertised"),
    [
        ("single-all-disabled", "", "8", 8, {"nvidia.com/gpu": 8}),
        ("single-all-1g.10gb", "-MIG-1g.10gb", "56", 8, {"nvidia.com/gpu": 56}),
        ("single-all-2g.20gb", "-MIG-2g.20gb", "6", 2, {"nvidia.com/gpu": 6}),
        ("mixed-all-disabled", "", "8", 8, {"nvidia.com/gpu": 8}),
        ("mixed-all-1g.10gb", "", "8", 8, {"nvidia.com/mig-1g.10gb": 56}),
        ("mixed-all-balanced", "", "1", 1, {"nvidia.com/mig-1g.10gb": 2, "nvidia.com/mig-2g.20gb": 1,
                                            "nvidia.com/mig-3g.40gb": 1}),
    ],
)  # fmt: skip
def test_a_node_is_known_by_its_labels(
    found: str, product: str, count: str, gpus: int, advertised: dict[str, int]
) -> None:
    """Under single the count label speaks of MIG devices once there are any."""
    labels = {GPU_PRODUCT: H100_LABEL + product, GPU_COUNT: count}

    described = gpus_as_found(target(), cell(found), labels)

    assert [gpu.index for gpu in described] == list(range(gpus))
    assert {gpu.name for gpu in described} == {H100}
    assert resources(described, cell(found)) == advertised


def test_gpus_that_the_table_does_not_know_are_counted_by_what_was_generated_for_them() -> None:
    labels = {GPU_PRODUCT: "NVIDIA-X900-1TB-MIG-1g.10gb", GPU_COUNT: "56"}
    found = cell("single-all-1g.10gb")

    described = gpus_as_found(target(), found, labels)

    assert len(described) == 8
    assert resources(described, found) == {"nvidia.com/gpu": 56}


def test_a_node_without_labels_has_no_gpus() -> None:
    found = cell("mixed-all-1g.10gb")

    described = gpus_as_found(target(), found, {})

    assert described == ()
    assert resources(described, found) == {}
