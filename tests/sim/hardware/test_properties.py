"""What holds for every GPU after any sequence of creations and removals."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from conformance.sim.hardware import DriverError, Gpu, NodeHardware
from conformance.sim.hardware.compute import SIZES, free_slices, offered
from conformance.spec.models import GpuModel, load_models

MODELS = st.sampled_from(list(load_models().values()))
STEPS = st.lists(st.integers(0, 999), max_size=25)


def gpu_of(model: GpuModel) -> Gpu:
    gpu = NodeHardware([(model, model.boards[0])]).gpus[0]
    gpu.mode_current = gpu.mode_pending = True
    return gpu


def play(gpu: Gpu, steps: list[int]) -> None:
    """Two steps of three create something, the others remove something; what the driver refuses is left out."""
    for step in steps:
        if step % 3 == 0 and gpu.created:
            gpu.destroy_instance(gpu.created[step % len(gpu.created)])
            continue
        row = gpu.model.profiles[step % len(gpu.model.profiles)]
        fits = gpu.remaining(row) > 0
        try:
            gpu.create_instance(row)
        except DriverError:
            assert not fits
        else:
            assert fits


@given(MODELS, STEPS)
def test_instances_lie_apart_on_legal_placements_within_all_limits(model: GpuModel, steps: list[int]) -> None:
    gpu = gpu_of(model)
    play(gpu, steps)
    for one, other in combinations(gpu.instances, 2):
        assert set(one.units).isdisjoint(other.units)
    assert len({each.id for each in gpu.instances}) == len(gpu.instances)
    for each in gpu.instances:
        assert each.start in each.row.placements.starts
        assert each.units.stop <= model.memory_units
        assert sum(other.row is each.row for other in gpu.instances) <= each.row.max_instances
    assert sum(each.row.slices for each in gpu.instances) <= model.compute_slices


@given(MODELS, STEPS)
def test_an_emptied_gpu_is_as_new(model: GpuModel, steps: list[int]) -> None:
    gpu = gpu_of(model)
    play(gpu, steps)
    for instance in gpu.instances:
        gpu.destroy_instance(instance)
    assert gpu.instances == []
    assert [gpu.remaining(row) for row in model.profiles] == [row.max_instances for row in model.profiles]


@given(MODELS, STEPS)
def test_the_same_geometry_comes_back_under_the_same_uuids(model: GpuModel, steps: list[int]) -> None:
    gpu = gpu_of(model)
    play(gpu, steps)
    before = {}
    for instance in gpu.instances:
        uuid = gpu.create_compute_instance(instance, 0).uuid
        before[uuid] = (instance.row, instance.start)
    gpu.reset()
    after = {}
    for row, start in reversed(before.values()):
        instance = gpu.create_instance(row, start)
        after[gpu.create_compute_instance(instance, 0).uuid] = (row, start)
    assert before == after


@given(MODELS, st.integers(0, 3), st.integers(1, 9))
def test_uuids_are_unique_in_a_cluster_and_repeatable(model: GpuModel, seed: int, count: int) -> None:
    def uuids() -> list[str]:
        found = []
        for node in ("sim-0", "sim-1"):
            for gpu in NodeHardware([(model, model.boards[0])] * count, seed=seed, node=node).gpus:
                gpu.mode_current = True
                instance = gpu.create_instance(model.profiles[0])
                found += [gpu.uuid, gpu.create_compute_instance(instance, 0).uuid]
        return found

    assert len(set(uuids())) == len(uuids()) == 4 * count
    assert uuids() == uuids()


@given(MODELS, st.integers(0, 99), st.lists(st.sampled_from(list(SIZES)), max_size=12))
def test_compute_instances_never_exceed_their_gpu_instance(model: GpuModel, which: int, wanted: list[int]) -> None:
    gpu = gpu_of(model)
    instance = gpu.create_instance(model.profiles[which % len(model.profiles)])
    for profile in wanted:
        slices = offered(instance, profile)
        fits = slices is not None and slices <= free_slices(instance)
        try:
            gpu.create_compute_instance(instance, profile)
        except DriverError:
            assert not fits
        else:
            assert fits
    made = instance.compute_instances
    assert sum(each.slices for each in made) + free_slices(instance) == instance.row.slices
    assert len({each.id for each in made}) == len({each.uuid for each in made}) == len(made)
    for each in list(made):
        gpu.destroy_compute_instance(instance, each.id)
    gpu.destroy_instance(instance)
