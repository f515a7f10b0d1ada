"""D-26: all node labels that GPU Feature Discovery must write for a geometry under a strategy.

Nodes with time slicing or MPS are not covered.
Source: NVIDIA/k8s-device-plugin v0.20.0, internal/lm and docs/gpu-feature-discovery.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from conformance.expect.geometry import WantedGpu, model_name
from conformance.expect.label_parts import (
    Labels,
    Numbers,
    device_labels,
    family,
    mode,
    numbers_of,
    product,
    version_labels,
)
from conformance.expect.observed import Driver, ObservedGpu
from conformance.spec.models import model_of
from conformance.spec.names import PREFIX, Strategy

_NOT_OF_GFD: Final = re.compile(r"nvidia\.com/(gpu\.(deploy\.|present$|workload\.)|gpu-driver-|mig\.config)")
_OF_GFD: Final = re.compile(r"nvidia\.com/(gpu\.|mig-|mig\.|cuda\.|mps\.|vgpu\.|gfd\.)")
_LONGEST: Final = 63
"""Characters of the longest label value that Kubernetes accepts."""
OPTIONAL: Final = frozenset({PREFIX + "gpu.clique", PREFIX + "gfd.timestamp"})
"""Labels that a node may lack: the clique needs an NVLink fabric, and the timestamp can be disabled."""


def is_gfd_label(name: str) -> bool:
    """Return whether GPU Feature Discovery owns the label; False for labels of the operator and of mig-manager."""
    return bool(_OF_GFD.match(name)) and not _NOT_OF_GFD.match(name)


def expected_labels(
    gpus: Sequence[ObservedGpu],
    wanted: Sequence[WantedGpu],
    strategy: Strategy,
    driver: Driver | None,
    features: Mapping[str, str] | None = None,
    version: str = "",
) -> tuple[Labels, ...]:
    """Return the sets of labels that are right for the node; it must match one of them.

    There is one set for each GPU model of the node: if there are several models, GPU Feature Discovery describes one of
    them, and which one is undefined.

    Args:
        gpus: The GPUs as read from NVML, with the figures of their MIG devices; figures not read accept any value.
        wanted: The geometry that the labels must describe.
        strategy: Strategy of the cluster.
        driver: Versions of driver and CUDA; None accepts any.
        features: Labels of the node, with those of Node Feature Discovery; None if they are unknown.
        version: Image tag of GPU Feature Discovery; empty for the newest.

    Raises:
        VersionError: The tag is not a version.
    """
    models = list(dict.fromkeys(model_name(gpu) for gpu in gpus))
    common = _common(gpus, strategy, driver, features or {})
    several = len(models) > 1
    return tuple(_as_written(common | _of_model(one, several, gpus, wanted, strategy, version)) for one in models)


def _as_written(labels: Labels) -> Labels:
    """Leave out the labels whose text is no label value, as Node Feature Discovery does: product names can be too long.

    Source: docs/reference/device-plugin.md#labels.
    """
    return {name: value for name, value in labels.items() if value is None or _is_label_value(value)}


def _is_label_value(text: str) -> bool:
    return len(text) <= _LONGEST and (not text or (text[0].isalnum() and text[-1].isalnum()))


def _common(
    gpus: Sequence[ObservedGpu], strategy: Strategy, driver: Driver | None, features: Mapping[str, str]
) -> Labels:
    labels: Labels = {
        PREFIX + "mig.capable": _bool(any(gpu.mig_capable for gpu in gpus)),
        PREFIX + "mps.capable": "false",
        PREFIX + "vgpu.present": "false",
        PREFIX + "gpu.machine": None,
        PREFIX + "gpu.mode": mode(features),
    }
    if strategy is not Strategy.NONE:
        labels[PREFIX + "mig.strategy"] = str(strategy)
    return labels | version_labels(driver.version if driver else None, driver.cuda if driver else None)


def _of_model(
    model: str,
    several: bool,
    gpus: Sequence[ObservedGpu],
    wanted: Sequence[WantedGpu],
    strategy: Strategy,
    version: str,
) -> Labels:
    sliced = [gpu for gpu in wanted if gpu.enabled]
    labels = _whole_gpus([gpu for gpu in gpus if model_name(gpu) == model], len(wanted) - len(sliced), version)
    if several:
        labels[PREFIX + "gpu.replicas"] = None
    if strategy is Strategy.SINGLE and sliced:
        return labels | _single(gpus, wanted)
    return labels | (_mixed(gpus, wanted) if strategy is Strategy.MIXED else {})


def _whole_gpus(gpus: Sequence[ObservedGpu], whole: int, version: str) -> Labels:
    major, minor = _capability(gpus[0])
    labels: Labels = {
        PREFIX + "gpu.product": product(gpus[0].name),
        PREFIX + "gpu.count": str(len(gpus)),
        PREFIX + "gpu.replicas": "1" if whole else "0",
        PREFIX + "gpu.sharing-strategy": "none",
        PREFIX + "gpu.memory": str(gpus[0].memory_mib),
        PREFIX + "gpu.compute.major": str(major),
        PREFIX + "gpu.compute.minor": str(minor),
    }
    return labels | {PREFIX + "gpu.family": family(major, minor, version)}


def _capability(gpu: ObservedGpu) -> tuple[int, int]:
    """Return the compute capability from models.yaml if it is confirmed there, otherwise the one that NVML reports.

    With the table's value, a GPU that reports a wrong one is noticed.
    """
    found = model_of(gpu.name)
    if found is None or "compute_capability" in found[0].assumed:
        return gpu.capability
    return found[0].compute_capability


def _single(gpus: Sequence[ObservedGpu], wanted: Sequence[WantedGpu]) -> Labels:
    """Return the labels that describe MIG devices instead of GPUs.

    GPU Feature Discovery compares only the names of the profiles. Unlike the device plugin it accepts equal profiles on
    GPUs of different models.
    """
    sliced = [gpu for gpu in wanted if gpu.enabled]
    profiles = {profile for gpu in sliced for profile in gpu.instances}
    if len(sliced) < len(wanted) or len(profiles) != 1 or not all(gpu.instances for gpu in sliced):
        return _invalid(_name(gpus, sliced[0]))
    (profile,) = profiles
    count = sum(gpu.instances[profile] for gpu in sliced)
    return device_labels(PREFIX + "gpu", _name(gpus, sliced[0]), profile, count, _numbers(gpus, sliced[0], profile))


def _invalid(name: str) -> Labels:
    return {
        PREFIX + "gpu.product": product(name) + "-MIG-INVALID",
        PREFIX + "gpu.count": "0",
        PREFIX + "gpu.replicas": "0",
        PREFIX + "gpu.sharing-strategy": "",
        PREFIX + "gpu.memory": "0",
    }


def _mixed(gpus: Sequence[ObservedGpu], wanted: Sequence[WantedGpu]) -> Labels:
    labels: Labels = {}
    counts = Counter(profile for gpu in wanted if gpu.enabled for profile in Counter(gpu.instances).elements())
    for profile, count in counts.items():
        first = next(gpu for gpu in wanted if gpu.enabled and profile in gpu.instances)
        numbers = _numbers(gpus, first, profile)
        labels |= device_labels(profile.label_prefix, _name(gpus, first), profile, count, numbers)
    return labels


def _name(gpus: Sequence[ObservedGpu], wanted: WantedGpu) -> str:
    return next(gpu.name for gpu in gpus if gpu.index == wanted.index)


def _numbers(gpus: Sequence[ObservedGpu], wanted: WantedGpu, profile: object) -> Numbers:
    (gpu,) = (gpu for gpu in gpus if gpu.index == wanted.index)
    seen = next((instance for instance in gpu.instances if instance.profile == profile), None)
    return numbers_of(gpu.name, seen)


def _bool(value: bool) -> str:
    return "true" if value else "false"


def closest(expected: Sequence[Labels], found: Mapping[str, str]) -> Labels:
    """Return the set of `expected` from which `found` differs in the fewest labels."""
    return min(expected, key=lambda labels: sum(not _matches(found.get(key), value) for key, value in labels.items()))


def _matches(found: str | None, value: str | None) -> bool:
    return bool(found) if value is None else found == value
