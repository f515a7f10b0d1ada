"""Where the driver puts GPU instances. Expected placements: tests/recordings of mig-parted v0.15.0, `mig_after`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conformance.sim.hardware import DriverError, ErrorCode, Gpu
from conformance.spec.models import load_models

SEVEN_SLICES = ("a100-40gb", "a100-80gb", "h100-sxm-80gb", "h200-141gb", "b200-180gb")


def create(gpu: Gpu, *profile_ids: int) -> list[tuple[int, int, int]]:
    """Create instances by the driver's profile ids and list all as (profile id, start, size) in creation order."""
    rows = {row.gi_profile_id: row for row in gpu.model.profiles}
    for profile_id in profile_ids:
        gpu.create_instance(rows[profile_id])
    return [(each.row.gi_profile_id, each.start, each.size) for each in gpu.created]


@pytest.mark.parametrize("model", SEVEN_SLICES)
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ((19,) * 7, [(19, start, 1) for start in (6, 5, 4, 3, 2, 1, 0)]),
        ((15,) * 4, [(15, start, 2) for start in (6, 4, 2, 0)]),
        ((14,) * 3, [(14, start, 2) for start in (4, 2, 0)]),
        ((9, 9), [(9, 4, 4), (9, 0, 4)]),
        ((5, 9), [(5, 0, 4), (9, 4, 4)]),
        ((0,), [(0, 0, 8)]),
        ((9, 14, 19, 19), [(9, 4, 4), (14, 2, 2), (19, 1, 1), (19, 0, 1)]),
        ((14, 19, 19, 19, 19, 19), [(14, 4, 2), (19, 6, 1), (19, 3, 1), (19, 2, 1), (19, 1, 1), (19, 0, 1)]),
        ((19, 19, 19, 15, 15), [(19, 6, 1), (19, 5, 1), (19, 4, 1), (15, 2, 2), (15, 0, 2)]),
        ((20, *(19,) * 6), [(20, 6, 1), *((19, start, 1) for start in (5, 4, 3, 2, 1, 0))]),
        ((14, 14, 14, 15), [(14, 4, 2), (14, 2, 2), (14, 0, 2), (15, 6, 2)]),
    ],
    ids=str,
)
def test_seven_slice_gpus_place_as_recorded(
    gpu_of: Callable[[str], Gpu], model: str, order: tuple[int, ...], expected: list[tuple[int, int, int]]
) -> None:
    assert create(gpu_of(model), *order) == expected


@pytest.mark.parametrize(
    "order",
    [(19,) * 8, (5, 5), (20, 20), (9, 9, 19), (0, 19), (19, 0), (14, 14, 14, 19, 19), (15,) * 5, (20, *(19,) * 7)],
    ids=str,
)
def test_what_does_not_fit_is_refused_at_the_last_instance(h100: Gpu, order: tuple[int, ...]) -> None:
    create(h100, *order[:-1])
    with pytest.raises(DriverError) as refused:
        create(h100, order[-1])
    assert refused.value.code is ErrorCode.INSUFFICIENT_RESOURCES


def test_four_unit_gpus_follow_the_same_rule(gpu_of: Callable[[str], Gpu]) -> None:
    gpu = gpu_of("a30-24gb")
    assert create(gpu, 5, 14, 14) == [(5, 2, 2), (14, 1, 1), (14, 0, 1)]


def test_ids_are_those_of_a_real_a100(gpu_of: Callable[[str], Gpu]) -> None:
    """3g at 4 is 1, 2g at 2 is 6, 1g at 0 and 1 are 11 and 12; large profiles are enumerated first."""
    gpu = gpu_of("a100-40gb")
    create(gpu, 9, 14, 19, 19)
    assert [(each.id, each.start) for each in gpu.instances] == [(1, 4), (6, 2), (11, 0), (12, 1)]


def test_a30_ids(gpu_of: Callable[[str], Gpu]) -> None:
    gpu = gpu_of("a30-24gb")
    create(gpu, 14, 14, 14, 14)
    assert [each.id for each in gpu.instances] == [3, 4, 5, 6]


def test_all_media_engines_leave_room_only_for_instances_without(gpu_of: Callable[[str], Gpu]) -> None:
    gpu = gpu_of("rtx-pro-6000-96gb")
    gpu.create_instance(gpu.model.row("1g.24gb+me.all"))
    assert gpu.remaining(gpu.model.row("1g.24gb")) == 0
    assert gpu.remaining(gpu.model.row("1g.24gb-me")) == 3


def test_one_instance_with_media_extensions_whatever_its_size(gpu_of: Callable[[str], Gpu]) -> None:
    gpu = gpu_of("a30-24gb")
    gpu.create_instance(gpu.model.row("2g.12gb+me"))
    assert gpu.remaining(gpu.model.row("1g.6gb+me")) == 0
    assert gpu.remaining(gpu.model.row("1g.6gb")) == 2


@pytest.mark.parametrize("model", load_models())
def test_uniform_and_balanced_geometries_fit_on_every_model(gpu_of: Callable[[str], Gpu], model: str) -> None:
    for row in load_models()[model].profiles:
        assert gpu_of(model).remaining(row) == row.max_instances
    gpu = gpu_of(model)
    for profile, count in sorted(gpu.model.all_balanced.items(), reverse=True):
        for _ in range(count):
            gpu.create_instance(gpu.model.row(profile))


def test_a_named_start_is_taken_or_refused(h100: Gpu) -> None:
    row = h100.model.row("2g.20gb")
    assert h100.create_instance(row, start=0).start == 0
    with pytest.raises(DriverError, match="INSUFFICIENT_RESOURCES"):
        h100.create_instance(row, start=0)
    with pytest.raises(DriverError, match="INVALID_ARGUMENT"):
        h100.create_instance(row, start=1)
