"""MIG on one GPU model: boards, profiles, placements, memory, engines.

Figures without a source are marked as `assumed`. The simulated cluster uses all figures; expectations of real GPUs use
only those that are not assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.spec.profile import Profile


@dataclass(frozen=True)
class Placements:
    """Legal placements of a GPU instance on the memory axis, in units of `GpuModel.memory_units`.

    Attributes:
        starts: Positions at which an instance may start.
        size: Size of an instance.
    """

    starts: tuple[int, ...]
    size: int


@dataclass(frozen=True)
class Engines:
    """Numbers of copy and media engines of one instance; 0 for none of a kind."""

    copy: int
    decoder: int
    encoder: int
    jpeg: int
    ofa: int


@dataclass(frozen=True)
class Board:
    """A product with the GPU.

    Attributes:
        name: Product name in NVML, such as `NVIDIA H100 80GB HBM3`.
        slug: Value of `--gpu-model`, such as `h100-80gb-hbm3`; unique in the table.
        device_id: PCI device and vendor id in one word, 0x233010DE; device filters compare it.
    """

    name: str
    slug: str
    device_id: int


@dataclass(frozen=True)
class ProfileRow:
    """A GPU-instance profile of a model.

    Attributes:
        profile: The profile.
        gi_profile_id: Id of the profile in the driver, as `nvidia-smi mig -lgip` prints it (19 for 1g on GPUs with
            seven slices).
        nvml_profile: NVML_GPU_INSTANCE_PROFILE_* index of the profile; not the same as the id.
        slices: Compute slices of one instance.
        max_instances: Number of instances that fit on an empty GPU.
        placements: Legal placements.
        memory_mib: Framebuffer of one instance in MiB; differs by a few percent between driver branches.
        multiprocessors: Multiprocessors of one GPU instance; a MIG device in it may have fewer.
        engines: Engines of one instance.
        assumed: Names of the attributes above that no source confirms: for the simulated cluster, not for expectations.
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
        """Name of the profile as NVML spells it, such as `1g.10gb+me`."""
        return str(self.profile)


@dataclass(frozen=True)
class GpuModel:
    """A GPU model: boards on which MIG has the same figures.

    Attributes:
        name: Key in the table, such as `h100-sxm-80gb`.
        description: Short text for people.
        boards: Products with this GPU, the most common first; never empty.
        subsystem_id: PCI subsystem and vendor id in one word; None if unknown.
        family: `ampere`, `hopper` or `blackwell`.
        compute_capability: CUDA compute capability, major and minor: (9, 0).
        memory_total_mib: Framebuffer of the whole GPU in MiB; 0 for GPUs that use the host's memory.
        memory_units: Length of the memory axis, in units of placements.
        compute_slices: Compute slices of the whole GPU.
        max_mig_devices: Largest number of MIG devices.
        all_balanced: Instances of `all-balanced`, profile name to count; empty if there is no such configuration.
        confirmed_by: Group of columns (`models.COLUMNS`, and `names`) to the keys of the sources that confirm it.
        notes: Remarks about the figures.
        profiles: The GPU-instance profiles in the order of nvidia-smi.
        assumed: Names of the attributes of the model itself that no source confirms.
        not_simulated: Why there can be no simulated cluster with it; empty if there can.
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
    not_simulated: str = ""

    def row(self, profile_name: str) -> ProfileRow:
        """Return the row of a profile by its canonical name.

        Raises:
            KeyError: The model does not offer the profile.
        """
        for row in self.profiles:
            if row.name == profile_name:
                return row
        raise KeyError(profile_name)
