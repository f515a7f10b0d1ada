"""The geometry that a configuration requests for the GPUs of a node.

Source: NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-parted/apply and pkg/mig/config.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from conformance.expect.catalogue import offered_by_any
from conformance.expect.matching import matching_entries
from conformance.expect.observed import ObservedGpu
from conformance.spec.mig_parted import Entry
from conformance.spec.models import model_of
from conformance.spec.profile import Profile


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
    - A GPU that no entry matches, or that is not MIG-capable, keeps its geometry.
    - If no GPU of the node offers one of an entry's profiles, mig-parted deletes all instances of the matching GPUs and
      creates none. It still reports success.
    """
    return tuple(_wanted(gpu, gpus, entries) for gpu in gpus)


def observed_geometry(gpus: Sequence[ObservedGpu]) -> tuple[WantedGpu, ...]:
    """Return the current geometry of every GPU."""
    return tuple(_observed(gpu) for gpu in gpus)


def model_name(gpu: ObservedGpu) -> str:
    """Return the name of the GPU's model in models.yaml, or its product name if the table lacks the model."""
    found = model_of(gpu.name)
    return gpu.name if found is None else found[0].name


def _observed(gpu: ObservedGpu) -> WantedGpu:
    return WantedGpu(gpu.index, gpu.mode, Counter(instance.profile for instance in gpu.instances), model_name(gpu))


def _wanted(gpu: ObservedGpu, gpus: Sequence[ObservedGpu], entries: Sequence[Entry]) -> WantedGpu:
    matching = matching_entries(gpu, entries) if gpu.mig_capable else ()
    if not matching:
        return _observed(gpu)
    entry = matching[-1]
    return WantedGpu(gpu.index, entry.enabled, _instances(entry, gpus), model_name(gpu))


def _instances(entry: Entry, gpus: Sequence[ObservedGpu]) -> Counter[Profile]:
    counts = {Profile.parse(name): count for name, count in entry.mig_devices.items()}
    if not all(offered_by_any(gpus, profile) for profile in counts):
        return Counter()
    return Counter({profile: count for profile, count in counts.items() if count})
