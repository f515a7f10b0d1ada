"""GPU models that support MIG, by name, board or product name; the figures are in models.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from conformance.spec.gpu_model import Board, Engines, GpuModel, Placements, ProfileRow
from conformance.spec.package_data import read_yaml
from conformance.spec.profile import Profile

__all__ = [
    "Board",
    "Engines",
    "GpuModel",
    "Placements",
    "ProfileRow",
    "UnknownModelError",
    "board_names",
    "find_board",
    "load_models",
    "model_of",
    "sources",
]

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "ids": ("gi_profile_id", "nvml_profile"),
        "placements": ("placements",),
        "memory": ("memory_mib",),
        "multiprocessors": ("multiprocessors",),
        "engines": ("engines",),
    }
)
"""Groups of columns, the keys of `GpuModel.confirmed_by`, to attributes of `ProfileRow`."""


class UnknownModelError(ValueError):
    """The GPU model is not in models.yaml; the message lists the names that are."""


def load_models() -> Mapping[str, GpuModel]:
    """Return all models by name, in the order of the table."""
    return _models()


def board_names() -> tuple[str, ...]:
    """Return every name that `find_board` accepts: the slugs of boards, then the keys of models that are not slugs."""
    slugs = [board.slug for _, board in _boards()]
    return (*slugs, *(name for name in _models() if name not in slugs))


def find_board(name: str) -> tuple[GpuModel, Board]:
    """Return the model and board with the given slug; the key of a model stands for its first board.

    The case of letters is ignored.

    Raises:
        UnknownModelError: There is no such name; the message lists those that exist.
    """
    wanted = name.lower()
    for model, board in _boards():
        if board.slug == wanted:
            return model, board
    if (by_key := _models().get(wanted)) is not None:
        return by_key, by_key.boards[0]
    raise UnknownModelError(f"unknown GPU model {name}; there are: {', '.join(board_names())}")


def model_of(product_name: str) -> tuple[GpuModel, Board] | None:
    """Return the model and board with the given product name of NVML; None if the table lacks it."""
    return _by_product_name().get(product_name)


def sources() -> Mapping[str, str]:
    """Return a description for every source key in `GpuModel.confirmed_by`."""
    return MappingProxyType(read_yaml("models.yaml")["sources"])


def _boards() -> Iterator[tuple[GpuModel, Board]]:
    return ((model, board) for model in _models().values() for board in model.boards)


@cache
def _by_product_name() -> Mapping[str, tuple[GpuModel, Board]]:
    return {board.name: (model, board) for model, board in _boards()}


@cache
def _models() -> Mapping[str, GpuModel]:
    table = read_yaml("models.yaml")["models"]
    return MappingProxyType({name: _model(name, values) for name, values in table.items()})


def _model(name: str, values: dict[str, Any]) -> GpuModel:
    confirmed = {group: tuple(by) for group, by in values["confirmed_by"].items()}
    unconfirmed = _unconfirmed(confirmed)
    major, minor = values["compute_capability"]
    return GpuModel(
        name=name,
        description=values["description"],
        boards=tuple(Board(**board) for board in values["boards"]),
        subsystem_id=values.get("subsystem_id"),
        family=values["family"],
        compute_capability=(major, minor),
        memory_total_mib=values["memory_total_mib"],
        memory_units=values["memory_units"],
        compute_slices=values["compute_slices"],
        max_mig_devices=values["max_mig_devices"],
        all_balanced=MappingProxyType(values.get("all_balanced", {})),
        confirmed_by=MappingProxyType(confirmed),
        notes=tuple(values.get("notes", ())),
        profiles=tuple(_row(row, unconfirmed) for row in values["profiles"]),
        assumed=frozenset(values.get("assumed", ())),
        not_simulated=values.get("not_simulated", ""),
    )


def _unconfirmed(confirmed: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """Return the columns of all groups that are missing or list `assumed` as their only source."""
    groups = [group for group in COLUMNS if confirmed.get(group, ("assumed",)) == ("assumed",)]
    return frozenset(column for group in groups for column in COLUMNS[group])


def _row(values: dict[str, Any], unconfirmed: frozenset[str]) -> ProfileRow:
    return ProfileRow(
        profile=Profile.parse(values["name"]),
        gi_profile_id=values["id"],
        nvml_profile=values["nvml"],
        slices=values["slices"],
        max_instances=values["max"],
        placements=Placements(tuple(values["starts"]), values["size"]),
        memory_mib=values["mib"],
        multiprocessors=values["sms"],
        engines=Engines(*values["engines"]),
        assumed=unconfirmed | frozenset(values.get("assumed", ())),
    )
