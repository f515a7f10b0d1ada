"""What a node that is only read must show of the configuration that its label names, once mig-manager has applied it.

Labels do not always say how many GPUs a node has, and never how much memory a driver leaves to them: nothing is
expected there. Source: docs/reference/mig-manager.md#one-reconfiguration and docs/reference/device-plugin.md#labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from conformance.expect.compare import compare_mappings
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.geometry import wanted_geometry
from conformance.expect.label_checks import check_labels
from conformance.expect.label_parts import Labels
from conformance.expect.labels import expected_labels
from conformance.expect.matching import matching_entries
from conformance.expect.observed import ListedGpu, ObservedGpu, ObservedGpuInstance
from conformance.spec.mig_parted import Entry
from conformance.spec.models import model_of
from conformance.spec.names import GPU_COUNT, PREFIX
from conformance.spec.profile import Profile

_MEMORY: Final = PREFIX + "gpu.memory"
_OF_THE_MODEL: Final = ("memory", "compute.major", "compute.minor", "family", "product")
"""Labels that only a row of models.yaml explains."""


def check_labels_as_configured(
    context: CheckContext,
    found: Mapping[str, str],
    gpus: Sequence[ObservedGpu],
    entries: Sequence[Entry],
    version: str = "",
) -> None:
    """Check the whole family of labels of GPU Feature Discovery against the configuration of the label.

    Args:
        context: Node and state that the check is about.
        found: All labels of the node.
        gpus: The GPUs as the labels describe them; at least one. Only under `mixed` is their number known for every
            configuration.
        entries: Entries of the configuration.
        version: Image tag of GPU Feature Discovery; empty for the newest.

    Raises:
        VersionError: The tag is not a version.
        ConformanceError: A label is missing, unexpected or wrong; the message shows only those labels.
    """
    if not all(matching_entries(gpu, entries) for gpu in gpus):
        return  # what other GPUs carry, the configuration does not say
    wanted = wanted_geometry(gpus, entries)
    expected = expected_labels(gpus, wanted, context.strategy, None, features=found, version=version)
    check_labels(context, found, [_as_far_as_known(labels, gpus, found) for labels in expected])


def check_listing_as_configured(
    context: CheckContext, listed: Sequence[ListedGpu], entries: Sequence[Entry], capability: tuple[int, int]
) -> None:
    """Check that `nvidia-smi -L` lists, on every GPU, the devices that the configuration of the label makes.

    Args:
        context: Node and state that the check is about.
        listed: What it lists.
        entries: Entries of the configuration.
        capability: Compute capability of the GPUs.

    Raises:
        ConformanceError: A GPU has other devices; the message names it.
    """
    gpus = [gpu for one in listed if matching_entries(gpu := _gpu(one, capability), entries)]
    devices = {gpu.index: Counter(Profile.parse(one.profile) for one in gpu.devices) for gpu in listed}
    wanted = {f"GPU {gpu.index}": _text(gpu.instances) for gpu in wanted_geometry(gpus, entries)}
    found = {f"GPU {gpu.index}": _text(devices[gpu.index]) for gpu in gpus}
    if finding := compare_mappings(wanted, found, only_differences=True):
        raise ConformanceError(context, "nvidia-smi -L compared with the configuration", finding, _CAUSES)


def check_instances_listed(
    context: CheckContext, listed: Sequence[ListedGpu], instances: Mapping[int, Sequence[ObservedGpuInstance]]
) -> None:
    """Check that every GPU instance of `nvidia-smi mig -lgi` carries a device of `nvidia-smi -L`, and the reverse.

    Args:
        context: Node and state that the check is about.
        listed: What `nvidia-smi -L` lists.
        instances: What `nvidia-smi mig -lgi` lists, by index of the GPU.

    Raises:
        ConformanceError: A GPU has instances of a profile without devices, or more of them than devices.
    """
    wrong: list[str] = []
    for gpu in listed:
        profiles = [Profile.parse(one.profile) for one in gpu.devices]
        devices = Counter(str(profile) for profile in profiles if profile.is_full)
        shared = {str(replace(one, compute_slices=one.gpu_slices)) for one in profiles if not one.is_full}
        made = Counter(str(Profile.parse(one.profile)) for one in instances.get(gpu.index, ()))
        wrong += [
            f"GPU {gpu.index}: {made[profile]} instances and {devices[profile]} devices of {profile}"
            for profile in sorted({*devices, *made} - shared)
            if made[profile] != devices[profile]
        ]
    if wrong:
        expected = ("one device in every GPU instance",)
        raise ConformanceError(context, "nvidia-smi mig -lgi compared with -L", Finding(expected, tuple(wrong)))


_CAUSES: Final = ("something else than mig-manager has divided the GPUs, or they were reset or rebooted since",)


def _as_far_as_known(labels: Labels, gpus: Sequence[ObservedGpu], found: Mapping[str, str]) -> Labels:
    """Expect any value where labels alone cannot tell the right one."""
    unknown = model_of(gpus[0].name) is None
    names = [f"{PREFIX}gpu.{name}" for name in _OF_THE_MODEL] if unknown else [_MEMORY]
    names += [GPU_COUNT] if found.get(GPU_COUNT) == "0" else []
    whole = f"{PREFIX}gpu.slices.gi" not in labels
    freed = dict.fromkeys((name for name in names if labels.get(name) not in (None, "0")), None) if whole else {}
    return labels | freed


def _gpu(listed: ListedGpu, capability: tuple[int, int]) -> ObservedGpu:
    known = model_of(listed.name)
    gpu = ObservedGpu(listed.index, listed.name, listed.uuid, 0, 0, capability)
    return gpu if known is None else replace(gpu, device_id=known[1].device_id)


def _text(devices: Mapping[Profile, int]) -> str:
    return ", ".join(f"{count} x {profile}" for profile, count in sorted(devices.items())) or "no devices"
