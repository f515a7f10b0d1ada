"""GPU models that support MIG: boards, profiles, placements, memory, engines; the figures stand in models.yaml.

Every figure says who confirmed it. A simulator needs them all; an expectation against a real GPU uses only those that
are not `assumed`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from conformance.spec.package_data import read_yaml
from conformance.spec.profile import Profile

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "ids": ("gi_profile_id", "nvml_profile"),
    "placements": ("placements",),
    "memory": ("memory_mib",),
    "multiprocessors": ("multiprocessors",),
    "engines": ("engines",),
})
"""Columns of a profile row by the group that `GpuModel.confirmed_by` speaks of."""


class UnknownModelError(ValueError):
    """A GPU was asked for that the table does not have; the message lists the names it has."""


@dataclass(frozen=True)
class Placements:
    """Where an instance may lie on the memory axis: any of `starts`, and `size` units long."""

    starts: tuple[int, ...]
    size: int


@dataclass(frozen=True)
class Engines:
    """Media and copy engines of one instance; 0 means that it has none of the kind."""

    copy: int
    decoder: int
    encoder: int
    jpeg: int
    ofa: int


@dataclass(frozen=True)
class Board:
    """A product that carries the GPU.

    Attributes:
        name: What NVML calls it, like `NVIDIA H100 80GB HBM3`.
        slug: What `--gpu-model` calls it, like `h100-80gb-hbm3`; unique in the table.
        device_id: PCI device and vendor id in one word, 0x233010DE; what a device filter compares.
    """

    name: str
    slug: str
    device_id: int


@dataclass(frozen=True)
class ProfileRow:
    """What the GPU offers under one profile.

    Attributes:
        profile: The profile.
        gi_profile_id: The driver's id, as `nvidia-smi mig -lgip` prints it (19 for 1g on seven-slice GPUs).
        nvml_profile: Index NVML_GPU_INSTANCE_PROFILE_*, another number than the id.
        slices: Compute slices of the GPU instance.
        max_instances: How many fit on an empty GPU.
        placements: Where they may lie.
        memory_mib: Framebuffer of one instance; differs by some percent between driver branches.
        multiprocessors: SMs of one instance.
        engines: Its engines.
        assumed: Names of the columns above that nobody has confirmed: good for a simulation, not for an expectation.
    """

    profile: Profile
    gi_profile_id: int
    nvml_profile: int
    slices: int
    max_instances: int
    placements: Placements
    memory_mib: int
    multiprocessors: int
    engines: Engines
    assumed: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The profile's name as NVML spells it, `1g.10gb+me`."""
        return str(self.profile)


@dataclass(frozen=True)
class GpuModel:
    """One GPU as MIG sees it; several boards may carry it.

    Attributes:
        name: Key in the table, like `h100-sxm-80gb`.
        description: For people.
        boards: Products with this GPU, the most common first; never empty.
        subsystem_id: PCI subsystem id in one word; None where unknown.
        family: `ampere`, `hopper` or `blackwell`.
        compute_capability: CUDA compute capability, (9, 0).
        memory_total_mib: Framebuffer of the whole GPU; 0 for GPUs that use the host's memory.
        memory_units: Length of the memory axis on which placements lie.
        compute_slices: Compute slices of the whole GPU.
        max_mig_devices: Most MIG devices at a time.
        all_balanced: What `all-balanced` creates, profile name to count; empty where there is no such configuration.
        confirmed_by: Group of columns (see `COLUMNS`, and `names`) to the sources that confirm it, keys of `sources`.
        notes: What a reader of the figures should know.
        profiles: The profiles in the order of nvidia-smi.
        assumed: Fields of the model itself that nobody has confirmed.
    """

    name: str
    description: str
    boards: tuple[Board, ...]
    subsystem_id: int | None
    family: str
    compute_capability: tuple[int, int]
    memory_total_mib: int
    memory_units: int
    compute_slices: int
    max_mig_devices: int
    all_balanced: Mapping[str, int]
    confirmed_by: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]
    profiles: tuple[ProfileRow, ...]
    assumed: frozenset[str] = field(default=frozenset())

    def row(self, profile_name: str) -> ProfileRow:
        """The row of a profile by its canonical name.

        Raises:
            KeyError: The model does not offer the profile.
        """
        for row in self.profiles:
            if row.name == profile_name:
                return row
        raise KeyError(profile_name)


def load_models() -> Mapping[str, GpuModel]:
    """All models by name, in the order of the table."""
    return _models()


def board_names() -> tuple[str, ...]:
    """Every name that `find_board` accepts: boards first, then those keys that are no board's name."""
    slugs = [board.slug for _, board in _boards()]
    return (*slugs, *(name for name in _models() if name not in slugs))


def find_board(name: str) -> tuple[GpuModel, Board]:
    """The model and board of a slug; the key of a model means its first board. Case does not matter.

    Raises:
        UnknownModelError: No such name; the message lists those that exist.
    """
    wanted = name.lower()
    for model, board in _boards():
        if board.slug == wanted:
            return model, board
    if (by_key := _models().get(wanted)) is not None:
        return by_key, by_key.boards[0]
    raise UnknownModelError(f"no GPU model {name}; there are: {', '.join(board_names())}")


def model_of(product_name: str) -> tuple[GpuModel, Board] | None:
    """The model and board that NVML calls `product_name`; None for a GPU without MIG or unknown to the table."""
    return next(((model, board) for model, board in _boards() if board.name == product_name), None)


def sources() -> Mapping[str, str]:
    """What the keys in `GpuModel.confirmed_by` stand for."""
    return MappingProxyType(read_yaml("models.yaml")["sources"])


def _boards() -> Iterator[tuple[GpuModel, Board]]:
    return ((model, board) for model in _models().values() for board in model.boards)


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
    )


def _unconfirmed(confirmed: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
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
