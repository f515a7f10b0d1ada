"""Groups of GPU Feature Discovery's labels, each for itself.

Source: NVIDIA/k8s-device-plugin v0.20.0, internal/lm/resource.go, nvml.go and machine-type.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from conformance.expect.catalogue import profile_row
from conformance.expect.observed import ObservedInstance
from conformance.spec.models import Engines
from conformance.spec.names import PREFIX
from conformance.spec.profile import Profile

Labels: TypeAlias = dict[str, str | None]
"""Label to value; None for any text that is not empty."""

_MODES: Final = {"0300": "graphics", "0302": "compute"}
"""PCI class to mode: VGA controllers and 3D controllers."""
ENGINES: Final = ("copy", "decoder", "encoder", "jpeg", "ofa")


@dataclass(frozen=True)
class Numbers:
    """Sizes of a MIG device; None where neither the hardware nor a confirmed table gave them."""

    memory_mib: int | None = None
    multiprocessors: int | None = None
    engines: Engines | None = None


def numbers_of(gpu_name: str, seen: ObservedInstance | None) -> Numbers:
    """Return the sizes of a device: memory and engines as the driver has them, multiprocessors as the table says.

    Memory and engines differ between driver branches, multiprocessors do not; so a wrong count does not prove itself.
    """
    if seen is None:
        return Numbers()
    numbers = Numbers(seen.memory_mib, seen.multiprocessors, seen.engines)
    row = profile_row(gpu_name, seen.profile)
    if row is None or "multiprocessors" in row.assumed or not seen.profile.is_full:
        return numbers
    return replace(numbers, multiprocessors=row.multiprocessors)


def device_labels(prefix: str, gpu_name: str, profile: Profile, count: int, numbers: Numbers) -> Labels:
    """Describe MIG devices of one profile under `prefix`."""
    labels: Labels = {
        "product": f"{product(gpu_name)}-MIG-{profile.suffix}",
        "count": str(count),
        "replicas": "1",
        "sharing-strategy": "none",
        "memory": _text(numbers.memory_mib),
        "multiprocessors": _text(numbers.multiprocessors),
        "slices.gi": str(profile.gpu_slices),
        "slices.ci": str(profile.compute_slices),
    }
    for engine in ENGINES:
        labels[f"engines.{engine}"] = _text(getattr(numbers.engines, engine, None))
    return {f"{prefix}.{name}": value for name, value in labels.items()}


def product(gpu_name: str) -> str:
    """Clean a product name for a label value: `NVIDIA H100 80GB HBM3` gives `NVIDIA-H100-80GB-HBM3`."""
    return "-".join(re.sub(r"[^A-Za-z0-9\-_. ]", "", gpu_name).split())


def family(major: int, minor: int) -> str | None:
    """Name the architecture of a compute capability; None for one that this table does not know."""
    if (major, minor) == (8, 9):
        return "ada-lovelace"
    return {8: "ampere", 9: "hopper", 10: "blackwell", 12: "blackwell", 13: "rubin"}.get(major)


def mode(features: Mapping[str, str]) -> str | None:
    """Name what the GPUs are made for, by their PCI class as Node Feature Discovery labels it.

    None where the node has NVIDIA devices of both classes, or of neither.
    """
    classes = [kind for kind in _MODES if features.get(f"feature.node.kubernetes.io/pci-{kind}_10de.present") == "true"]
    return _MODES[classes[0]] if len(classes) == 1 else None


def version_labels(driver: str | None, cuda: tuple[int, int] | None) -> Labels:
    """Repeat the versions of driver and CUDA in both spellings, the older of which is deprecated."""
    major, minor, revision = _three(driver)
    cuda_major, cuda_minor = (None, None) if cuda is None else (str(cuda[0]), str(cuda[1]))
    labels: Labels = {
        "driver-version.full": driver,
        "driver-version.major": major,
        "driver-version.minor": minor,
        "driver-version.revision": revision,
        "driver.major": major,
        "driver.minor": minor,
        "driver.rev": revision,
        "runtime-version.full": None if cuda is None else f"{cuda_major}.{cuda_minor}",
        "runtime-version.major": cuda_major,
        "runtime-version.minor": cuda_minor,
        "runtime.major": cuda_major,
        "runtime.minor": cuda_minor,
    }
    return {f"{PREFIX}cuda.{name}": value for name, value in labels.items()}


def _three(version: str | None) -> tuple[str | None, str | None, str | None]:
    if version is None:
        return None, None, None
    major, minor, revision = [*version.split(".", 2), "", ""][:3]
    return major, minor, revision


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
