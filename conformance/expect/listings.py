"""D-18: the device lists of `nvidia-smi -L`, and UUIDs that name one device only.

Source: output format of NVIDIA driver 580.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from conformance.expect.compare import compare_mappings
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.geometry import WantedGpu
from conformance.expect.observed import ListedGpu, ObservedGpu

_SHOWN_UUIDS: Final = 8
"""UUIDs that a message lists; a node may have more than a hundred."""


def check_device_list(context: CheckContext, listed: Sequence[ListedGpu], wanted: Sequence[WantedGpu]) -> None:
    """Check that the node's list has every GPU, and below it one line for each MIG device, numbered from 0.

    Raises:
        ConformanceError: The lines of a GPU differ, or a UUID occurs twice.
    """
    expected = {f"GPU {gpu.index}": _wanted_lines(gpu) for gpu in wanted}
    found = {f"GPU {gpu.index}": _listed_lines(gpu) for gpu in listed}
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(context, "nvidia-smi -L", finding, _not_applied(listed, wanted))
    check_unique(context, [uuid for gpu in listed for uuid in (gpu.uuid, *(device.uuid for device in gpu.devices))])


def check_same_devices(context: CheckContext, listed: Sequence[ListedGpu], gpus: Sequence[ObservedGpu]) -> None:
    """Check that `nvidia-smi -L` lists the GPUs that NVML reports, each with the same MIG devices in the same order.

    Raises:
        ConformanceError: A name, profile or UUID differs; the message shows only lines that differ.
    """
    expected = {
        line: text
        for gpu in gpus
        for line, text in _lines(gpu.index, gpu.name, gpu.uuid, [(str(it.profile), it.uuid) for it in gpu.instances])
    }
    found = {
        line: text
        for gpu in listed
        for line, text in _lines(gpu.index, gpu.name, gpu.uuid, [(it.profile, it.uuid) for it in gpu.devices])
    }
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(context, "nvidia-smi -L compared with NVML", finding)


def check_unique(context: CheckContext, uuids: Sequence[str]) -> None:
    """Check that no UUID occurs twice on a node.

    Raises:
        ConformanceError: A UUID occurs more than once; the message lists all of them.
    """
    duplicates = tuple(f"{uuid} ({count} times)" for uuid, count in sorted(Counter(uuids).items()) if count > 1)
    if duplicates:
        raise ConformanceError(context, "UUIDs", Finding(("every UUID once",), duplicates))


def check_unique_across_nodes(context: CheckContext, holders: Mapping[str, Sequence[str]]) -> None:
    """Check that no GPU or MIG device of the node has a UUID that is on another node as well.

    Args:
        context: Node and state that the check is about.
        holders: The nodes that have each UUID of the node.

    Raises:
        ConformanceError: A UUID is on several nodes; the message names them, for GPUs first.
    """
    shared = {uuid: nodes for uuid, nodes in sorted(holders.items()) if set(nodes) - {context.node}}
    if not shared:
        return
    found = [f"{uuid} on nodes {' and '.join(nodes)}" for uuid, nodes in shared.items()]
    rest = [f"and {len(found) - _SHOWN_UUIDS} more UUIDs"] if len(found) > _SHOWN_UUIDS else []
    finding = Finding(("every UUID on one node only",), (*found[:_SHOWN_UUIDS], *rest))
    likely = "the nodes are copies of one machine, or their hypervisor gives them the same GPU"
    raise ConformanceError(context, "UUIDs", finding, (likely,))


def _wanted_lines(gpu: WantedGpu) -> str:
    return _counted({str(profile): count for profile, count in gpu.instances.items()}, sum(gpu.instances.values()))


def _listed_lines(gpu: ListedGpu) -> str:
    numbered = [device.index for device in gpu.devices] == list(range(len(gpu.devices)))
    counted = _counted(Counter(device.profile for device in gpu.devices), len(gpu.devices))
    return counted if numbered else f"{counted}, numbered {[device.index for device in gpu.devices]}"


def _counted(profiles: Mapping[str, int], total: int) -> str:
    listed = ", ".join(f"{count} x MIG {profile}" for profile, count in sorted(profiles.items()))
    return f"{total} MIG lines" + (f": {listed}" if listed else "")


def _lines(index: int, name: str, uuid: str, devices: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (f"GPU {index}", f"{name} {uuid}"),
        *((f"GPU {index} Device {at}", " ".join(device)) for at, device in enumerate(devices)),
    ]


def _not_applied(listed: Sequence[ListedGpu], wanted: Sequence[WantedGpu]) -> list[str]:
    if any(gpu.instances for gpu in wanted) and not any(gpu.devices for gpu in listed):
        return ["the geometry was not applied: no GPU has a MIG line"]
    return []
