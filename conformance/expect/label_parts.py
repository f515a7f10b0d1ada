"""The groups of labels that GPU Feature Discovery writes.

Source: NVIDIA/k8s-device-plugin v0.20.0, internal/lm/resource.go, nvml.go and machine-type.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from conformance.expect.catalogue import multiprocessors
from conformance.expect.observed import ObservedInstance
from conformance.spec.models import Engines
from conformance.spec.names import PREFIX
from conformance.spec.profile import Profile
from conformance.spec.releases import at_least

Labels: TypeAlias = dict[str, str | None]
"""Label name to value; None accepts any value that is not empty."""

_FAMILIES: Final = {8: "ampere", 9: "hopper", 10: "blackwell", 12: "blackwell", 13: "rubin"}
"""Major compute capability to the value of `nvidia.com/gpu.family`; exceptions are in `_FAMILIES_APART`."""
_FAMILIES_APART: Final = {(7, 0): "volta", (7, 5): "turing", (8, 9): "ada-lovelace"}
_FAMILY_SINCE: Final = {"ada-lovelace": "v0.17.1", "blackwell": "v0.17.2", "rubin": "v0.20.0"}
"""First version of GPU Feature Discovery that writes a family; older ones do not know the GPUs."""
_MODES: Final = {"0300": "graphics", "0302": "compute"}
"""PCI class (VGA controller, 3D controller) to the value of `nvidia.com/gpu.mode`."""
ENGINES: Final = ("copy", "decoder", "encoder", "jpeg", "ofa")


@dataclass(frozen=True)
class Numbers:
    """Figures of a MIG device; None for what neither the driver nor a confirmed row of models.yaml gives.

    Attributes:
        memory_mib: Framebuffer in MiB.
        multiprocessors: Number of multiprocessors.
        engines: Number of engines of each kind.
    """

    memory_mib: int | None = None
    multiprocessors: int | None = None
    engines: Engines | None = None


def numbers_of(gpu_name: str, seen: ObservedInstance | None) -> Numbers:
    """Return the figures that the labels of a MIG device must show; all None if `seen` is None.

    Memory and engines come from the driver, because they differ between driver branches. Multiprocessors do not, so
    they come from models.yaml where confirmed: then a wrong count in the driver is noticed as well.
    """
    if seen is None:
        return Numbers()
    numbers = Numbers(seen.memory_mib, seen.multiprocessors, seen.engines)
    known = multiprocessors(gpu_name, seen.profile)
    return numbers if known is None else replace(numbers, multiprocessors=known)


def device_labels(prefix: str, gpu_name: str, profile: Profile, count: int, numbers: Numbers) -> Labels:
    """Return the labels that describe the `count` MIG devices of one profile; all names begin with `prefix`."""
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
    """Return a product name as a label value: `NVIDIA-H100-80GB-HBM3` for `NVIDIA H100 80GB HBM3`."""
    return "-".join(re.sub(r"[^A-Za-z0-9\-_. ]", "", gpu_name).split())


def family(major: int, minor: int, version: str = "") -> str | None:
    """Return the value of `nvidia.com/gpu.family` for a compute capability; None if it is unknown.

    Args:
        major: Major compute capability.
        minor: Minor compute capability.
        version: Image tag of GPU Feature Discovery; empty for the newest. One that does not know a GPU calls it
            `undefined`, or `ampere` if its capability is 8.9.

    Raises:
        VersionError: The tag is not a version.
    """
    known = _FAMILIES_APART.get((major, minor)) or _FAMILIES.get(major)
    if known in _FAMILY_SINCE and version and not at_least(version, _FAMILY_SINCE[known]):
        return "ampere" if known == "ada-lovelace" else "undefined"
    return known


def mode(features: Mapping[str, str]) -> str | None:
    """Return `graphics` or `compute` by the PCI class that Node Feature Discovery labels.

    Returns None if the node has NVIDIA devices of both classes or of neither.
    """
    classes = [kind for kind in _MODES if features.get(f"feature.node.kubernetes.io/pci-{kind}_10de.present") == "true"]
    return _MODES[classes[0]] if len(classes) == 1 else None


def version_labels(driver: str | None, cuda: tuple[int, int] | None) -> Labels:
    """Return the labels of the driver and CUDA versions, including those with deprecated names.

    Args:
        driver: Version of the driver, such as `580.159.04`; None accepts any.
        cuda: Major and minor CUDA version; None accepts any.
    """
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
