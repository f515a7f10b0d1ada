"""A mig-parted file of the suite, in force for all nodes while a scenario runs.

`OwnFileScenario` is the base of scenarios that need other configurations than those that the nodes offer.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final, TypeVar

import yaml

from conformance.expect.catalogue import profile_counts
from conformance.expect.observed import ObservedGpu
from conformance.operations.manager_file import put_config_map, use_config_map
from conformance.operations.mig_cluster import MigCluster
from conformance.spec.mig_parted import VERSION, Entry
from conformance.spec.names import CONFIG_KEY, GPU_PRODUCT, MIG_CONFIG
from conformance.spec.profile import Profile
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import ClusterScenario, Nodes
from conformance.suite.targets import find_targets, gpu_by_label

OWN_CONFIG_MAP: Final = "mig-conformance-config"
"""ConfigMap of the suite in the operator's namespace."""
OTHER_BOARD: Final = "0x1EB810DE"
"""Device filter that matches no GPU with MIG: the device id of a Tesla T4."""

Started = TypeVar("Started")
Evidence = TypeVar("Evidence")


Parts = Sequence[tuple[tuple[int, ...] | None, Callable[[ObservedGpu], Mapping[str, int]] | None]]
"""The parts of a configuration: indices of GPUs (None for all), and the function that gives the MIG devices of such a
GPU; None in place of the function for MIG off."""


def smallest(gpu: ObservedGpu) -> dict[str, int]:
    """Return a layout of one profile: the one of which most fit on the GPU."""
    profile, count = max(_plain(gpu).items(), key=lambda item: item[1])
    return {str(profile): count}


def packed(gpu: ObservedGpu) -> dict[str, int]:
    """Return a layout of two profiles: half of the GPU in one instance, the other half in the smallest ones.

    On a GPU of 80 GB with seven slices these are 1 x 3g.40gb and 4 x 1g.10gb. Where no profile is half of the GPU, the
    result is that of `smallest`.
    """
    plain = _plain(gpu)
    small, count = max(plain.items(), key=lambda item: item[1])
    half = _half(plain)
    if half is None or half.gpu_slices >= count:
        return smallest(gpu)
    return {str(small): count - half.gpu_slices, str(half): 1}


def halves(gpu: ObservedGpu) -> dict[str, int]:
    """Return a layout of two instances of half of the GPU; where only the smallest is half of it, one of the whole GPU.

    It differs from `smallest` on every GPU.
    """
    plain = _plain(gpu)
    half = _half(plain)
    whole = max(plain, key=lambda profile: profile.gpu_slices)
    return {str(whole): 1} if half is None else {str(half): 2}


def for_each_model(gpus: Iterable[ObservedGpu], parts: Parts) -> list[Entry]:
    """Return the entries of a configuration for GPUs of several models, told apart by device filters.

    The last entry is for a board that no node with MIG has: it must change nothing.
    """
    models = {gpu.device_id: gpu for gpu in gpus if gpu.mig_capable}
    entries = [
        Entry(devices, layout is not None, layout(gpu) if layout else {}, _filter(device_id))
        for device_id, gpu in sorted(models.items())
        for devices, layout in parts
    ]
    return [*entries, Entry(None, enabled=False, mig_devices={}, device_filter=(OTHER_BOARD,))]


def as_text(configurations: Mapping[str, Iterable[Entry]]) -> str:
    """Return configurations as a mig-parted file."""
    listed = {name: [_item(entry) for entry in entries] for name, entries in configurations.items()}
    return yaml.safe_dump({"version": VERSION, "mig-configs": listed}, sort_keys=False)


def in_force(cluster: MigCluster) -> dict[str, list[Entry]]:
    """Return the configurations that the labels of the MIG-capable nodes name, from the files that they come from.

    A file that replaces these files must have them, or mig-manager reports `failed` when it starts with it. If nodes
    have different entries under one name, each entry gets the device id of the GPUs of its node as a filter.

    Raises:
        ClusterError: The file of a node is missing or cannot be read.
    """
    found: dict[str, list[tuple[int, tuple[Entry, ...]]]] = defaultdict(list)
    for target in find_targets(cluster, ()):
        labels = cluster.node(target.name).labels
        if (name := labels.get(MIG_CONFIG, "")) in target.configurations.entries:
            found[name].append((gpu_by_label(labels.get(GPU_PRODUCT, "")).device_id, target.entries(name)))
    return {name: _merged(listed) for name, listed in found.items()}


class OwnFileScenario(ClusterScenario[None, Evidence]):
    """A scenario with a mig-parted file of the suite in force, which also has the configurations that nodes are in.

    A subclass says which configurations the file has (`configurations`), and requests them in `observe`. Before that,
    mig-manager has started with the file on every node, and found the configuration of the cell applied. After `undo`
    it has started with its former file; `settle` brings the node back to its cell.

    Attributes:
        gpus: The GPUs of all nodes that take part, as they were before `change`.
        kept: The configurations that the labels of the nodes named then.
    """

    changes: ClassVar[Sequence[str]] = (
        f"ConfigMap {OWN_CONFIG_MAP} in the operator's namespace, with configurations of the suite",
        "ClusterPolicy spec.migManager.config.name, which restarts mig-manager on every GPU node",
    )

    def __init__(self) -> None:
        self.gpus: list[ObservedGpu] = []
        self._former: str | None = None
        self.kept: Mapping[str, Iterable[Entry]] = {}

    @abstractmethod
    def configurations(self, gpus: Sequence[ObservedGpu]) -> Mapping[str, Iterable[Entry]]:
        """Return the configurations of the file for the GPUs of all nodes, without those that the nodes are in."""

    def start(self, node: NodeInCell) -> None:
        """Do nothing: the file is one for all nodes."""

    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Put the file in force."""
        self.gpus = [gpu for node in nodes.values() if node.observed for gpu in node.observed.gpus]
        self._former, self.kept = cluster.policy().config_name, in_force(cluster)
        self.write(cluster, self.configurations(self.gpus))
        use_config_map(cluster, OWN_CONFIG_MAP, nodes)

    def write(self, cluster: MigCluster, configurations: Mapping[str, Iterable[Entry]]) -> None:
        """Write the file; mig-manager must not react before the next request."""
        put_config_map(cluster, OWN_CONFIG_MAP, {CONFIG_KEY: as_text({**self.kept, **configurations})})

    def undo(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Put the former file in force."""
        if (cluster.policy().config_name or "").startswith(OWN_CONFIG_MAP):
            use_config_map(cluster, self._former, nodes)


def _plain(gpu: ObservedGpu) -> dict[Profile, int]:
    """Profiles without attributes, with the count that fits on the GPU."""
    found = {Profile.parse(name): count for name, count in profile_counts(gpu).items()}
    return {profile: count for profile, count in found.items() if profile == profile.base}


def _half(plain: Mapping[Profile, int]) -> Profile | None:
    """The profile of which two fill a GPU; None if that is the one of a single slice."""
    return next((profile for profile, fits in plain.items() if fits == 2 and profile.gpu_slices > 1), None)


def _filter(device_id: int) -> tuple[str, ...]:
    return (f"0x{device_id:08X}",) if device_id else ()


def _merged(listed: Sequence[tuple[int, tuple[Entry, ...]]]) -> list[Entry]:
    first = listed[0][1]
    if all(entries == first for _, entries in listed):
        return list(first)
    merged: list[Entry] = []
    for device_id, entries in listed:
        own = (replace(entry, device_filter=entry.device_filter or _filter(device_id)) for entry in entries)
        merged += [entry for entry in own if entry not in merged]
    return merged


def _item(entry: Entry) -> dict[str, Any]:
    item: dict[str, Any] = {"devices": "all" if entry.devices is None else list(entry.devices)}
    if entry.device_filter:
        item["device-filter"] = list(entry.device_filter)
    item["mig-enabled"] = entry.enabled
    if entry.enabled or entry.mig_devices:
        item["mig-devices"] = dict(entry.mig_devices)
    return item
