"""The geometry that a configuration asks of the GPUs of a node.

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
    """What one GPU must carry.

    Attributes:
        index: Index of the GPU.
        enabled: Wanted MIG mode.
        instances: MIG devices by profile; empty with MIG on means none at all.
        model: Model of the GPU, or its product name where the table has none: MIG devices of one profile are alike only
            on GPUs of one model. Empty where all GPUs are the same.
    """

    index: int
    enabled: bool
    instances: Mapping[Profile, int] = field(default_factory=Counter)
    model: str = ""


def wanted_geometry(gpus: Sequence[ObservedGpu], entries: Sequence[Entry]) -> tuple[WantedGpu, ...]:
    """Return what every GPU carries once the configuration is applied.

    Of several entries that match a GPU the last one wins. A GPU that none matches, or that cannot do MIG, keeps what it
    has. A profile that no GPU of the node offers empties the GPU and nothing is created, as documented for mig-parted.
    """
    return tuple(_wanted(gpu, gpus, entries) for gpu in gpus)


def observed_geometry(gpus: Sequence[ObservedGpu]) -> tuple[WantedGpu, ...]:
    """Return what every GPU carries now, in the same form."""
    return tuple(_as_is(gpu) for gpu in gpus)


def kind_of(gpu: ObservedGpu) -> str:
    """Return the model of the GPU, or its product name where the table has none."""
    found = model_of(gpu.name)
    return gpu.name if found is None else found[0].name


def _as_is(gpu: ObservedGpu) -> WantedGpu:
    return WantedGpu(gpu.index, gpu.mode, Counter(instance.profile for instance in gpu.instances), kind_of(gpu))


def _wanted(gpu: ObservedGpu, gpus: Sequence[ObservedGpu], entries: Sequence[Entry]) -> WantedGpu:
    matching = matching_entries(gpu, entries) if gpu.mig_capable else ()
    if not matching:
        return _as_is(gpu)
    entry = matching[-1]
    return WantedGpu(gpu.index, entry.enabled, _instances(entry, gpus), kind_of(gpu))


def _instances(entry: Entry, gpus: Sequence[ObservedGpu]) -> Counter[Profile]:
    counts = {Profile.parse(name): count for name, count in entry.mig_devices.items()}
    if not all(offered_by_any(gpus, profile) for profile in counts):
        return Counter()
    return Counter({profile: count for profile, count in counts.items() if count})
