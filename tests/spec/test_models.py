"""The table of GPU models is complete and consistent, also with the configurations that the operator ships."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from conformance.spec import mig_parted
from conformance.spec.models import (
    GpuModel,
    ProfileRow,
    UnknownModelError,
    board_names,
    find_board,
    load_models,
    model_of,
    sources,
)
from conformance.spec.static_config import static_configurations

MODELS = tuple(load_models().values())
ROWS = [pytest.param(model, row, id=f"{model.name}-{row.name}") for model in MODELS for row in model.profiles]
EVERY_MODEL = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


@pytest.mark.parametrize(
    ("name", "model", "product"),
    [
        ("h100-80gb-hbm3", "h100-sxm-80gb", "NVIDIA H100 80GB HBM3"),
        ("H100-80GB-HBM3", "h100-sxm-80gb", "NVIDIA H100 80GB HBM3"),
        ("h100-sxm-80gb", "h100-sxm-80gb", "NVIDIA H100 80GB HBM3"),
        ("a100-sxm4-40gb", "a100-40gb", "NVIDIA A100-SXM4-40GB"),
        ("a30-24gb", "a30-24gb", "NVIDIA A30"),
        ("h200-141gb", "h200-141gb", "NVIDIA H200"),
    ],
)
def test_boards_are_found_by_slug_and_by_model(name: str, model: str, product: str) -> None:
    found, board = find_board(name)

    assert (found.name, board.name) == (model, product)
    assert model_of(product) == (found, board)


def test_an_unknown_board_is_rejected_with_the_known_names() -> None:
    with pytest.raises(UnknownModelError) as refused:
        find_board("geforce")

    assert all(name in str(refused.value) for name in board_names())


def test_an_unknown_product_has_no_model() -> None:
    assert model_of("NVIDIA GeForce RTX 4090") is None


def test_names_of_boards_are_unique() -> None:
    boards = [board for model in MODELS for board in model.boards]

    for values in (
        [board.slug for board in boards],
        [board.name for board in boards],
        [board.device_id for board in boards],
    ):
        assert len(set(values)) == len(values)
    assert all(find_board(name) for name in board_names())


@EVERY_MODEL
def test_ids_of_profiles_are_unique(model: GpuModel) -> None:
    for values in (
        [row.name for row in model.profiles],
        [row.gi_profile_id for row in model.profiles],
        [row.nvml_profile for row in model.profiles],
    ):
        assert max(Counter(values).values()) == 1


@EVERY_MODEL
def test_every_source_is_explained(model: GpuModel) -> None:
    assert {key for keys in model.confirmed_by.values() for key in keys} <= sources().keys()


@pytest.mark.parametrize(("model", "row"), ROWS)
def test_placements_lie_on_the_axis_and_hold_the_most_instances(model: GpuModel, row: ProfileRow) -> None:
    """Profiles with all media engines are limited to one instance."""
    free, fit = 0, 0
    for start in row.placements.starts:
        if start >= free:
            free, fit = start + row.placements.size, fit + 1

    assert free <= model.memory_units
    assert row.max_instances == (1 if {"me", "me.all"} & set(row.profile.plus) else fit)
    assert row.max_instances * row.slices <= model.compute_slices


@pytest.mark.parametrize(("model", "row"), ROWS)
def test_memory_gives_the_profile_its_name(model: GpuModel, row: ProfileRow) -> None:
    """The rule of go-nvlib: the share in eighths, rounded up, times total GiB, rounded up; rounded half up at last."""
    if model.memory_total_mib == 0:
        assert row.profile.memory_gb == 0
        return
    eighths = math.ceil(8 * row.memory_mib / model.memory_total_mib)

    assert row.profile.memory_gb == math.floor(eighths / 8 * math.ceil(model.memory_total_mib / 1024) + 0.5)


def test_extrapolated_rows_are_assumed_and_measured_ones_are_not() -> None:
    h100, b200, h20 = (load_models()[name] for name in ("h100-sxm-80gb", "b200-180gb", "h20-96gb"))

    assert h100.row("3g.40gb").assumed == frozenset()
    assert b200.row("3g.90gb").assumed == {"placements", "engines"}
    assert h20.row("2g.24gb").assumed == {
        "gi_profile_id",
        "nvml_profile",
        "placements",
        "memory_mib",
        "multiprocessors",
        "engines",
    }
    assert "memory_total_mib" in h20.assumed


def test_a_profile_that_the_model_lacks() -> None:
    with pytest.raises(KeyError, match=r"1g\.5gb"):
        load_models()["a100-80gb"].row("1g.5gb")


class TestStaticConfiguration:
    entries = static_configurations().entries

    def test_has_the_81_names(self) -> None:
        assert len(self.entries) == 81

    def test_only_three_have_device_filters(self) -> None:
        filtered = {name for name, entries in self.entries.items() if any(entry.device_filter for entry in entries)}

        assert filtered == {"all-1g.10gb", "all-1g.35gb", "all-balanced"}

    @EVERY_MODEL
    def test_balanced_agrees_with_the_table(self, model: GpuModel) -> None:
        ids = {f"0x{board.device_id:08X}" for board in model.boards}
        found = [entry for entry in self.entries["all-balanced"] if ids & set(entry.device_filter)]

        expected = [dict(model.all_balanced)] if model.all_balanced else []
        assert [dict(entry.mig_devices) for entry in found] == expected

    @pytest.mark.parametrize(("model", "row"), ROWS)
    def test_counts_are_those_of_the_table(self, model: GpuModel, row: ProfileRow) -> None:
        """The shipped file lacks RTX PRO 5000, RTX PRO 4500 and Thor."""
        if (entries := self.entries.get(f"all-{row.profile.suffix}")) is None:
            assert model.name in {"rtx-pro-5000-48gb", "rtx-pro-4500-32gb", "thor-igpu"}
            return
        if model.name.startswith("rtx-pro-") and model.name != "rtx-pro-6000-96gb":
            return
        counts = {entry.mig_devices[row.name] for entry in entries if self.fits(entry, model)}
        assert counts <= {row.max_instances}

    @staticmethod
    def fits(entry: mig_parted.Entry, model: GpuModel) -> bool:
        ids = {f"0x{board.device_id:08X}" for board in model.boards}
        return not entry.device_filter or bool(ids & set(entry.device_filter))
