"""The geometry that a configuration requests for the GPUs of a node.

Source: NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-parted/apply and pkg/mig/config.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from conformance.expect.catalogue import offered_by_any
from conformance.expect.matching import matching_entries
from conformance.expect.observed import ObservedGpu
from conformance.spec.mig_parted import Entry
from conformance.spec.models import model_of
from conformance.spec.profile import Profile

_AMPERE: Final = 8
"""Major compute capability of the GPUs on which a change of the MIG mode needs a reset."""


@dataclass(frozen=True)
class WantedGpu:
    """The geometry of one GPU, wanted or observed.

    Attributes:
        index: NVML index of the GPU.
        enabled: MIG mode.
        instances: Number of MIG devices by profile; empty for none.
        model: Result of `model_name`: MIG devices of one profile are alike only on GPUs of one model. May be empty if
            all GPUs are of the same model.
    """

    index: int
    enabled: bool
    instances: Mapping[Profile, int] = field(default_factory=Counter)
    model: str = ""


def wanted_geometry(gpus: Sequence[ObservedGpu], entries: Sequence[Entry]) -> tuple[WantedGpu, ...]:
    """Return the geometry of every GPU after the configuration is applied.

    - If several entries match a GPU, the last one wins.
    - A GPU that no entry matches, or that is not MIG-capable, keeps its geometry. If the MIG mode of an Ampere GPU
      changes, all GPUs of the node are reset, and such a GPU loses its instances.
    - If no GPU of the node offers one of an entry's profiles, mig-parted deletes all instances of the matching GPUs and
      creates none. It still reports success.
    """
    reset = any(_is_reset(gpu, entries) for gpu in gpus)
    return tuple(_wanted(gpu, gpus, entries, reset=reset) for gpu in gpus)


def requested_profiles(gpus: Sequence[ObservedGpu], entries: Sequence[Entry]) -> tuple[Profile, ...]:
    """Return the profiles that the configuration asks for on any GPU, whether or not the GPUs offer them."""
    last = [matching[-1] for gpu in gpus if gpu.mig_capable and (matching := matching_entries(gpu, entries))]
    counts = [(Profile.parse(name), count) for entry in last for name, count in entry.mig_devices.items()]
    return tuple(dict.fromkeys(profile for profile, count in counts if count))


def observed_geometry(gpus: Sequence[ObservedGpu]) -> tuple[WantedGpu, ...]:
    """Return the current geometry of every GPU."""
    return tuple(_observed(gpu) for gpu in gpus)


def model_name(gpu: ObservedGpu) -> str:
    """Return the name of the GPU's model in models.yaml, or its product name if the table lacks the model."""
    found = model_of(gpu.name)
    return gpu.name if found is None else found[0].name


def _observed(gpu: ObservedGpu) -> WantedGpu:
    return WantedGpu(gpu.index, gpu.mode, Counter(instance.profile for instance in gpu.instances), model_name(gpu))


def _is_reset(gpu: ObservedGpu, entries: Sequence[Entry]) -> bool:
    """Return whether the GPU must be reset for the MIG mode that it gets."""
    matching = matching_entries(gpu, entries) if gpu.mig_capable else ()
    return bool(matching) and gpu.capability[0] == _AMPERE and matching[-1].enabled != gpu.mode


def _wanted(gpu: ObservedGpu, gpus: Sequence[ObservedGpu], entries: Sequence[Entry], *, reset: bool) -> WantedGpu:
    matching = matching_entries(gpu, entries) if gpu.mig_capable else ()
    if not matching:
        return WantedGpu(gpu.index, gpu.mode, Counter(), model_name(gpu)) if reset else _observed(gpu)
    entry = matching[-1]
    return WantedGpu(gpu.index, entry.enabled, _instances(entry, gpus), model_name(gpu))


def _instances(entry: Entry, gpus: Sequence[ObservedGpu]) -> Counter[Profile]:
    counts = {Profile.parse(name): count for name, count in entry.mig_devices.items()}
    if not all(offered_by_any(gpus, profile) for profile in counts):
        return Counter()
    return Counter({profile: count for profile, count in counts.items() if count})
