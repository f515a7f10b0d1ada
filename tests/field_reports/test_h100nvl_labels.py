"""A 1g slice with double memory has the multiprocessors of a plain 1g, in the simulator and in what is expected."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.expect.catalogue import multiprocessors
from conformance.expect.geometry import observed_geometry
from conformance.expect.hardware import deviations
from conformance.expect.labels import expected_labels
from conformance.expect.observed import ObservedGpu
from conformance.expect.readings import read_probe
from conformance.sim.hardware import NodeHardware
from conformance.spec.models import GpuModel, load_models
from conformance.spec.names import Strategy
from tests.probe.running import run_probe
from tests.sim.partitioned import cut

REAL = json.loads((Path(__file__).parent / "data" / "h100nvl-labels.json").read_text(encoding="utf-8"))
DOUBLE_MEMORY = 9
"""NVML_GPU_INSTANCE_PROFILE_1_SLICE_REV2."""
DOUBLED = [
    pytest.param(model, row.name, id=f"{model.name}-{row.name}")
    for model in load_models().values()
    for row in model.profiles
    if row.nvml_profile == DOUBLE_MEMORY
]


def simulated(board: str, *gpus: list[str]) -> tuple[ObservedGpu, ...]:
    """Return the GPUs of a simulated node as the probe reads them."""
    hardware = NodeHardware([board] * len(gpus))
    for gpu, profiles in zip(hardware.gpus, gpus, strict=True):
        cut(gpu, profiles)
    return read_probe(run_probe(hardware))


def test_labels_of_a_real_node_are_expected() -> None:
    gpus = simulated("h100-nvl", ["1g.12gb"] * 2, ["1g.24gb", *["1g.12gb"] * 5])

    (expected,) = expected_labels(gpus, observed_geometry(gpus), Strategy.MIXED, None)

    assert {name: expected[name] for name in REAL if name != "_comment"} == {
        name: value for name, value in REAL.items() if name != "_comment"
    }


@pytest.mark.parametrize(("model", "profile"), DOUBLED)
def test_simulated_device_has_the_multiprocessors_of_a_plain_1g(model: GpuModel, profile: str) -> None:
    plain = model.profiles[0]
    (gpu,) = simulated(model.name, [profile, plain.name])

    assert {device.multiprocessors for device in gpu.instances} == {plain.multiprocessors}
    assert gpu.profiles[profile].multiprocessors == model.row(profile).multiprocessors
    assert [text for device in gpu.instances for text in deviations(gpu, device)] == []


@pytest.mark.parametrize(("model", "profile"), DOUBLED)
def test_all_multiprocessors_of_the_gpu_instance_are_a_deviation(model: GpuModel, profile: str) -> None:
    (gpu,) = simulated(model.name, [profile])
    known, whole = multiprocessors(gpu.name, gpu.instances[0].profile), model.row(profile).multiprocessors
    if known in (None, whole):
        pytest.skip(f"models.yaml confirms no other figure: {known}")

    wrong = [*deviations(gpu, replace(gpu.instances[0], multiprocessors=whole))]

    assert wrong == [f"{profile}: {whole} multiprocessors instead of {known}"]


@pytest.mark.parametrize(("board", "profile", "figure"), [("h100-nvl", "1g.24gb", 16), ("h20", "1g.24gb", 8)])
def test_figures_that_real_nodes_show(board: str, profile: str, figure: int) -> None:
    (gpu,) = simulated(board, [profile])

    assert (gpu.instances[0].multiprocessors, multiprocessors(gpu.name, gpu.instances[0].profile)) == (figure, figure)
