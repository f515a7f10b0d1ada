"""GPUs as the probe reads them, made from models.yaml."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from conformance.expect.finding import CheckContext, ConformanceError
from conformance.expect.observed import ListedDevice, ListedGpu, ObservedGpu, ObservedInstance, ObservedProfile
from conformance.spec.models import GpuModel, ProfileRow, find_board
from conformance.spec.names import Strategy
from conformance.spec.profile import Profile

H100 = "h100-80gb-hbm3"
A100_40 = "a100-sxm4-40gb"
A100_80 = "a100-sxm4-80gb"
A30 = "a30-24gb"


def context(
    configuration: str = "all-1g.10gb", strategy: Strategy = Strategy.SINGLE, requirement: str = "D-01"
) -> CheckContext:
    return CheckContext((requirement,), "sim-0", strategy, configuration)


def gpu(
    instances: Sequence[Sequence[int]] = (),
    *,
    board: str = H100,
    index: int = 0,
    mode: bool | None = None,
    capable: bool = True,
) -> ObservedGpu:
    """Make a GPU with instances [profile id, start, size, number of compute instances]; MIG is on if there are any.

    If there are several compute instances, each has one slice.
    """
    model, product = find_board(board)
    on = bool(instances) if mode is None else mode
    return ObservedGpu(
        index=index,
        name=product.name,
        uuid=f"GPU-{index:08}-0000-0000-0000-000000000000",
        device_id=product.device_id,
        memory_mib=model.memory_total_mib,
        capability=model.compute_capability,
        mig_capable=capable,
        mode=on,
        pending_mode=on,
        subsystem_id=model.subsystem_id,
        profiles={row.name: offered(row) for row in model.profiles},
        instances=tuple(
            device
            for number, instance in enumerate(instances)
            for device in _devices(model, index, number + 1, instance)
        ),
    )


def offered(row: ProfileRow) -> ObservedProfile:
    """Return the profile as a driver reports it that agrees with the table."""
    return ObservedProfile(
        max_instances=row.max_instances,
        memory_mib=row.memory_mib,
        multiprocessors=row.multiprocessors,
        engines=row.engines,
        placements=frozenset((start, row.placements.size) for start in row.placements.starts),
    )


def _devices(model: GpuModel, gpu_index: int, number: int, instance: Sequence[int]) -> list[ObservedInstance]:
    profile_id, start, size, compute_instances = instance
    (row,) = (row for row in model.profiles if row.gi_profile_id == profile_id)
    slices, sms = row.slices, row.multiprocessors
    if compute_instances > 1 or row.slices == 1:
        slices, sms = 1, model.profiles[0].multiprocessors
    ids = (gpu_index, number)
    return [_device(row, (*ids, compute), (start, size), slices, sms) for compute in range(compute_instances)]


def _device(
    row: ProfileRow, ids: tuple[int, int, int], at: tuple[int, int], slices: int, multiprocessors: int
) -> ObservedInstance:
    whole = row.profile
    return ObservedInstance(
        profile=Profile(slices, whole.gpu_slices, whole.memory_gb, whole.plus, whole.minus),
        gpu_instance=ids[1],
        compute_instance=ids[2],
        uuid="MIG-{}-{}-{}".format(*ids),
        gpu_slices=row.slices,
        compute_slices=slices,
        start=at[0],
        size=at[1],
        memory_mib=row.memory_mib,
        multiprocessors=multiprocessors,
        engines=row.engines,
    )


SEVEN = [[19, start, 1, 1] for start in range(7)]
"""Seven instances of the smallest profile on a GPU with seven slices."""
BALANCED = [[9, 4, 4, 1], [14, 2, 2, 1], [19, 1, 1, 1], [19, 0, 1, 1]]


def listed(of: ObservedGpu, count: int | None = None) -> ListedGpu:
    """Return a GPU as `nvidia-smi -L` lists it, with its first `count` MIG devices; None means all."""
    devices = [ListedDevice(str(it.profile), at, it.uuid) for at, it in enumerate(of.instances[:count])]
    return ListedGpu(of.index, of.name, of.uuid, tuple(devices))


def message_of(check: Callable[[], None]) -> str:
    """Return what a check says, which must fail."""
    with pytest.raises(ConformanceError) as failed:
        check()
    return str(failed.value)
