"""The labels for the GPUs and MIG devices of a node.

Source: NVIDIA/k8s-device-plugin v0.20.0, internal/lm (mig-strategy.go, resource.go, nvml.go).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.sim.device_plugin.inventory import Attributes, Gpu, MigDevice
from conformance.sim.device_plugin.sharing import Sharing
from conformance.sim.faults import Faults
from conformance.spec import names
from conformance.spec.names import Strategy
from conformance.spec.releases import at_least

Labels = dict[str, str]

_INVALID: Final = "MIG-INVALID"
_UNKNOWN_CHARACTERS: Final = re.compile(r"[^A-Za-z0-9\-_. ]")
_FAMILIES: Final[Mapping[int, str]] = {
    1: "tesla",
    2: "fermi",
    3: "kepler",
    5: "maxwell",
    6: "pascal",
    9: "hopper",
    10: "blackwell",
    12: "blackwell",
    13: "rubin",
}
"""Families by major compute capability; 7 and 8 cover two families each."""
_TURING_MINOR: Final = 5
_ADA_MINOR: Final = 9
_ADA_SINCE: Final = "v0.17.1"
_FAMILIES_SINCE: Final[Mapping[str, str]] = {"blackwell": "v0.17.2", "rubin": "v0.20.0"}
"""First version that knows a family, from the same file at the tags v0.17.0 to v0.20.0."""


class LabelError(Exception):
    """The labels cannot be computed; the program ends with exit code 1."""


@dataclass(frozen=True)
class Labelling:
    """The inputs of the labels apart from the GPUs.

    Attributes:
        strategy: MIG strategy, not validated.
        sharing: Sharing of resources.
        faults: The faults that are switched on.
        warn: Logs a warning: place in the source, and text.
        version: Image tag of the program; empty for the newest.
    """

    strategy: str
    sharing: Sharing
    faults: Faults
    warn: Callable[[str, str], None]
    version: str = ""

    def is_at_least(self, version: str) -> bool:
        """Return whether the program has this version or a newer one."""
        return not self.version or at_least(self.version, version)


def resource_labels(gpus: Sequence[Gpu], labelling: Labelling, last: str | None = None) -> Labels:
    """Return the labels of GPUs and MIG devices: all under `gpu.` and `mig-<profile>.`, and the strategy.

    Args:
        gpus: All GPUs, at least one.
        labelling: Strategy and sharing.
        last: On a node with several models, the one whose labels overwrite those of the others; in the real program
            the random order of a Go map decides. None for the last model in NVML order.

    Raises:
        LabelError: The strategy is unknown.
    """
    by_model = whole_gpu_labels(gpus, labelling)
    labels: Labels = {}
    for model in sorted(by_model, key=lambda model: model == last):
        labels |= by_model[model]
    if labelling.strategy == Strategy.NONE:
        return labels
    if labelling.strategy not in set(Strategy):
        raise LabelError(
            f"error creating resource labeler: failed to construct MIG resource labeler: "
            f"unknown strategy: {labelling.strategy}"
        )
    labels[names.MIG_STRATEGY] = labelling.strategy
    of_devices = _single if labelling.strategy == Strategy.SINGLE else _mixed
    return labels | of_devices(gpus, labelling)


def whole_gpu_labels(gpus: Sequence[Gpu], labelling: Labelling) -> dict[str, Labels]:
    """Return the labels under `gpu.` that each model would have alone; a GPU with MIG on counts, but is not shared."""
    counts = Counter(gpu.name for gpu in gpus)
    if len(counts) > 1:
        labelling.warn("mig-strategy.go:152", f"Multiple device types detected: [{' '.join(counts)}]")
    partitioned = {gpu.name: gpu for gpu in gpus if gpu.mig_enabled}
    whole = {gpu.name: gpu for gpu in gpus if not gpu.mig_enabled}
    return {
        model: _resource(
            names.GPU_RESOURCE, [model], counts[model], labelling, shared=labelling.sharing if model in whole else None
        )
        | _of_gpu(whole.get(model) or partitioned[model], labelling)
        for model in counts
    }


def _of_gpu(gpu: Gpu, labelling: Labelling) -> Labels:
    major, minor = gpu.capability
    return {
        f"{names.GPU_RESOURCE}.memory": str(gpu.memory_mib),
        f"{names.GPU_RESOURCE}.family": _family(major, minor, labelling),
        f"{names.GPU_RESOURCE}.compute.major": str(major),
        f"{names.GPU_RESOURCE}.compute.minor": str(minor),
    }


def _single(gpus: Sequence[Gpu], labelling: Labelling) -> Labels:
    partitioned = [gpu for gpu in gpus if gpu.mig_enabled]
    if not partitioned:
        return {}
    if reason := _why_invalid(gpus, partitioned, labelling.faults):
        labelling.warn("mig-strategy.go:245", f"Invalid configuration detected for mig-strategy=single: {reason}")
        return _invalid(partitioned[0])
    devices = [(gpu, device) for gpu in partitioned for device in gpu.devices]
    return _of_devices(names.GPU_RESOURCE, devices, labelling) if devices else {}


def _mixed(gpus: Sequence[Gpu], labelling: Labelling) -> Labels:
    by_profile: dict[str, list[tuple[Gpu, MigDevice]]] = {}
    for gpu in gpus:
        for device in gpu.devices:
            by_profile.setdefault(device.profile.label_prefix, []).append((gpu, device))
    labels: Labels = {}
    for prefix, devices in by_profile.items():
        labels |= _of_devices(prefix, devices, labelling)
    return labels


def _why_invalid(gpus: Sequence[Gpu], partitioned: Sequence[Gpu], faults: Faults) -> str | None:
    if faults.on("gfd-hides-invalid"):
        return None
    if any(not gpu.devices for gpu in partitioned):
        return "at least one MIG device is enabled but empty"
    if len(partitioned) < len(gpus):
        return "devices with MIG enabled and disable detected"
    if len({device.profile for gpu in partitioned for device in gpu.devices}) > 1:
        return "more than one MIG device type present on node"
    return None


def _invalid(gpu: Gpu) -> Labels:
    values = {"product": f"{cleaned(gpu.name)}-{_INVALID}", "count": "0", "replicas": "0", "memory": "0"}
    return {f"{names.GPU_RESOURCE}.{key}": value for key, value in (values | {"sharing-strategy": ""}).items()}


def _of_devices(prefix: str, devices: Sequence[tuple[Gpu, MigDevice]], labelling: Labelling) -> Labels:
    """Return the labels of one kind of MIG device; model and attributes are those of the first device."""
    gpu, device = devices[0]
    suffix = [] if labelling.faults.on("gfd-wrong-product") else ["MIG", device.profile.suffix]
    base = _resource(prefix, [gpu.name, *suffix], len(devices), labelling, shared=labelling.sharing)
    return base | {f"{prefix}.{key}": str(value) for key, value in _attributes(device.attributes).items()}


def _attributes(attributes: Attributes) -> dict[str, int]:
    return {
        "memory": attributes.memory_mib,
        "multiprocessors": attributes.multiprocessors,
        "slices.gi": attributes.gpu_slices,
        "slices.ci": attributes.compute_slices,
        "engines.copy": attributes.copy,
        "engines.decoder": attributes.decoder,
        "engines.encoder": attributes.encoder,
        "engines.jpeg": attributes.jpeg,
        "engines.ofa": attributes.ofa,
    }


def _resource(
    prefix: str, product: Sequence[str], count: int, labelling: Labelling, *, shared: Sharing | None
) -> Labels:
    """Return the labels that every resource has; if sharing does not apply, `shared` is None and replicas are 0."""
    entry = shared.of(prefix) if shared else None
    parts = [cleaned(part) for part in product]
    if entry and not entry.rename:
        parts.append("SHARED")
    return {
        f"{prefix}.product": "-".join(parts),
        f"{prefix}.count": str(count + labelling.faults.on("gfd-wrong-count")),
        f"{prefix}.replicas": str(entry.replicas if entry else int(shared is not None)),
        f"{prefix}.sharing-strategy": shared.strategy if shared and entry else "none",
    }


def _family(major: int, minor: int, labelling: Labelling) -> str:
    if major == 7:
        return "volta" if minor < _TURING_MINOR else "turing"
    if major == 8:
        return "ada-lovelace" if minor >= _ADA_MINOR and labelling.is_at_least(_ADA_SINCE) else "ampere"
    family = _FAMILIES.get(major, "undefined")
    since = _FAMILIES_SINCE.get(family)
    return "undefined" if since and not labelling.is_at_least(since) else family


def cleaned(text: str) -> str:
    """Convert a product name to a label value: drop invalid characters, replace white space by `-`."""
    return "-".join(_UNKNOWN_CHARACTERS.sub("", text).split())
