"""What MIG looks like on one GPU model: boards, profiles, placements, memory, engines.

Every figure says who confirmed it. A simulator needs them all; an expectation against a real GPU uses only those that
are not `assumed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.spec.profile import Profile


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
        confirmed_by: Group of columns (`models.COLUMNS`, and `names`) to the keys of the sources that confirm it.
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
    assumed: frozenset[str] = frozenset()

    def row(self, profile_name: str) -> ProfileRow:
        """Return the row of a profile by its canonical name.

        Raises:
            KeyError: The model does not offer the profile.
        """
        for row in self.profiles:
            if row.name == profile_name:
                return row
        raise KeyError(profile_name)
