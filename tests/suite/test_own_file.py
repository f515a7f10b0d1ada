"""The mig-parted file of the suite: layouts of each model, its text, and the configurations that it keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.expect.geometry import wanted_geometry
from conformance.spec.device_filter import DeviceFilter, parse_filter
from conformance.spec.mig_parted import Entry, parse
from conformance.spec.models import GpuModel, find_board, load_models
from conformance.spec.profile import Profile
from conformance.suite.own_file import OTHER_BOARD, as_text, for_each_model, halves, packed, smallest
from tests.expect.made import A30, H100, gpu

MODELS = pytest.mark.parametrize("model", load_models().values(), ids=lambda model: model.name)


@pytest.mark.parametrize(
    ("board", "layout"),
    [
        (H100, {"1g.10gb": 4, "3g.40gb": 1}),
        (A30, {"1g.6gb": 2, "2g.12gb": 1}),
        ("h200-141gb", {"1g.18gb": 4, "3g.71gb": 1}),
        ("rtx-pro-6000-96gb", {"1g.24gb": 2, "2g.48gb": 1}),
    ],
)
def test_packed_layout_is_that_of_the_runbook(board: str, layout: dict[str, int]) -> None:
    assert packed(gpu(board=board)) == layout


@MODELS
def test_every_layout_fits_on_its_model(model: GpuModel) -> None:
    board = gpu(board=model.boards[0].slug)
    for layout in (smallest(board), packed(board), halves(board)):
        rows = {name: model.row(name) for name in layout}
        assert sum(rows[name].placements.size * count for name, count in layout.items()) <= model.memory_units
        assert sum(Profile.parse(name).gpu_slices * count for name, count in layout.items()) <= model.compute_slices


def test_each_model_gets_its_own_layout_and_the_entry_for_another_board_none() -> None:
    gpus = [gpu(), gpu(board=A30, index=1)]

    wanted = wanted_geometry(gpus, for_each_model(gpus, [(None, packed)]))

    assert [dict(one.instances) for one in wanted] == [
        {Profile.parse("1g.10gb"): 4, Profile.parse("3g.40gb"): 1},
        {Profile.parse("1g.6gb"): 2, Profile.parse("2g.12gb"): 1},
    ]


def test_other_board_is_none_of_the_boards_with_mig() -> None:
    other = parse_filter(OTHER_BOARD)

    assert other is not None
    assert all(board.device_id != other.device for model in load_models().values() for board in model.boards)


def test_file_is_read_back_as_it_was_meant() -> None:
    entries = [
        *for_each_model([gpu()], [((0, 2), None), ((1, 3), smallest)]),
        Entry(None, enabled=True, mig_devices={}),
    ]

    assert list(parse(as_text({"suite": entries})).entries["suite"]) == [
        replace(entry, mig_devices=dict(entry.mig_devices)) for entry in entries
    ]


def test_filter_names_the_device_id_of_the_board() -> None:
    _, board = find_board(H100)

    first, *_ = for_each_model([gpu()], [(None, smallest)])

    assert [parse_filter(text) for text in first.device_filter] == [DeviceFilter(board.device_id)]
