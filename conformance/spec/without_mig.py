"""GPUs that cannot do MIG; the figures are in without_mig.yaml."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import Any

from conformance.spec.models import Board, GpuModel, UnknownModelError
from conformance.spec.package_data import read_yaml


def board_without_mig(name: str) -> tuple[GpuModel, Board]:
    """Return a model without profiles, and its board.

    Raises:
        UnknownModelError: There is no such name; the message lists those that exist.
    """
    if (values := _table().get(name.lower())) is None:
        raise UnknownModelError(f"unknown GPU model without MIG {name}; there are: {', '.join(_table())}")
    board = Board(values["name"], name.lower(), values["device_id"])
    major, minor = values["capability"]
    model = GpuModel(
        name=board.slug,
        description=f"{board.name}, without MIG",
        boards=(board,),
        subsystem_id=None,
        family=values["family"],
        compute_capability=(major, minor),
        memory_total_mib=values["memory_mib"],
        memory_units=0,
        compute_slices=0,
        max_mig_devices=0,
        all_balanced=MappingProxyType({}),
        confirmed_by=MappingProxyType({}),
        notes=(),
        profiles=(),
    )
    return model, board


def products_without_mig() -> tuple[str, ...]:
    """Return the product names of NVML of all GPUs in the table."""
    return tuple(values["name"] for values in _table().values())


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = read_yaml("without_mig.yaml")
    return table
