"""`nvidia-mig-parted generate-config`: the configurations that the GPUs of the node support.

mig-manager from v0.14.0 uses the same code at its start. Source: NVIDIA/mig-parted v0.15.0, pkg/mig/builder and
pkg/mig/discovery.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from conformance.sim.mig_parted.gpus import MigGpu, Offer, gpus_of_node
from conformance.sim.mig_parted.output import MigPartedError, Output
from conformance.spec.mig_parted import ALL_BALANCED, ALL_DISABLED, ALL_ENABLED, VERSION
from conformance.spec.profile import Profile

if TYPE_CHECKING:
    from conformance.sim.nvml import Nvml

_BALANCED: Mapping[int, Mapping[int, int]] = {7: {1: 2, 2: 1, 3: 1}, 4: {1: 2, 2: 1}}
"""Instances of `all-balanced` (number by slices), by the slices of the largest profile."""
_A30: Final = 0x20B710DE
_OFFERS_OF_A30: Final = [
    Offer(index, profile_id, Profile.parse(name), count)
    for index, profile_id, name, count in (
        (0, 14, "1g.6gb", 4),
        (7, 21, "1g.6gb+me", 1),
        (1, 5, "2g.12gb", 2),
        (8, 6, "2g.12gb+me", 1),
        (3, 0, "4g.24gb", 1),
    )
]
"""mig-parted does not ask the driver for the profiles of an A30, because NVML reports wrong counts. It has them even
where an old driver lists none while MIG is off."""


class NoProfilesError(MigPartedError):
    """The GPUs are MIG capable, but the driver lists no profiles (before R580, while MIG is off)."""


def generate(nvml: Nvml, output: Output) -> dict[str, Any]:
    """Return a configuration file for the GPUs of the node.

    Raises:
        NoProfilesError: There are MIG-capable GPUs, but the driver lists no profiles.
        MigPartedError: NVML cannot be initialised, or no GPU is MIG capable.
    """
    try:
        with gpus_of_node(nvml) as gpus:
            offers = _discover(gpus, output)
    except NoProfilesError as error:
        raise NoProfilesError(f"failed to discover MIG profiles: {error}") from None
    except MigPartedError as error:
        raise MigPartedError(f"failed to discover MIG profiles: {error}") from None
    balanced = _balanced(offers, output)
    configurations = _one_profile_each(offers, output)
    if balanced:
        configurations[ALL_BALANCED] = balanced
    configurations[ALL_DISABLED] = [_entry(False, {})]
    configurations[ALL_ENABLED] = [_entry(True, {})]
    return {"version": VERSION, "mig-configs": configurations}


def _discover(gpus: Sequence[MigGpu], output: Output) -> dict[str, list[Offer]]:
    """Return the offers by PCI ID (`0x233010DE`); GPUs with the same ID have the same offers."""
    found: dict[str, list[Offer]] = {}
    capable = [gpu for gpu in gpus if gpu.capable]
    for gpu in capable:
        device = f"0x{gpu.device_id:08X}"
        if gpu.device_id == _A30:
            why = "using hardcoded profiles due to NVML bug"
            output.log("info", f"Device {gpu.index} is A30 (DeviceID: {device}), {why}")
            found[device] = _OFFERS_OF_A30
        elif offers := gpu.offers:
            found[device] = offers
        else:
            output.log("warning", f"No MIG profiles found for device {gpu.index}")
    if not capable:
        raise MigPartedError("no MIG-capable devices found on the system")
    if not found:
        count = len(capable)
        output.log("warning", f"Found {count} MIG-capable device(s) but no profiles could be discovered")
        raise NoProfilesError("no MIG profiles discovered for MIG-capable GPUs")
    return dict(sorted(found.items()))


def _one_profile_each(offers: Mapping[str, list[Offer]], output: Output) -> dict[str, list[dict[str, Any]]]:
    """Return `all-<profile>` for every profile, with an entry for each maximum number of instances."""
    devices: dict[Profile, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for device, offered in offers.items():
        for offer in offered:
            devices[offer.profile][offer.max_instances].append(device)
    configurations = {}
    for profile in sorted(devices, key=_size):
        name = f"all-{profile.suffix}"
        configurations[name] = [
            _entry(True, {str(profile): count}, having if len(offers) > 1 else ())
            for count, having in sorted(devices[profile].items())
        ]
        for count, having in sorted(devices[profile].items()):
            listed = " ".join(having)
            output.log(
                "info",
                f"Generated config '{name}' for profile '{profile}' with max count {count} (devices: [{listed}])",
            )
    return configurations


def _balanced(offers: Mapping[str, list[Offer]], output: Output) -> list[dict[str, Any]]:
    """Return an entry for each kind of GPU that the formula supports; without any, there is no `all-balanced`."""
    entries = []
    for device, offered in offers.items():
        sizes = _plain_by_size(offered)
        slots = max(sizes, default=0)
        formula = _BALANCED.get(slots, {})
        if not formula or not formula.keys() <= sizes.keys():
            output.log("warning", f"Device {device} missing required profiles for all-balanced config, skipping")
            continue
        counts = {str(sizes[size].profile): count for size, count in formula.items()}
        entries.append(_entry(True, counts, [device] if len(offers) > 1 else ()))
        output.log("info", f"Generated all-balanced config for device {device} (max slots: {slots})")
    return entries


def _plain_by_size(offers: Sequence[Offer]) -> dict[int, Offer]:
    """Return, by slices, the profile without attributes that fits most often: the one with the least memory."""
    sizes: dict[int, Offer] = {}
    for offer in offers:
        if offer.profile != offer.profile.base:
            continue
        best = sizes.get(offer.profile.gpu_slices)
        if best is None or offer.max_instances > best.max_instances:
            sizes[offer.profile.gpu_slices] = offer
    return sizes


def _entry(enabled: bool, counts: Mapping[str, int], devices: Sequence[str] = ()) -> dict[str, Any]:
    only = {"device-filter": list(devices)} if devices else {}
    return {**only, "devices": "all", "mig-enabled": enabled, "mig-devices": dict(counts)}


def _size(profile: Profile) -> tuple[int, int, str]:
    return profile.gpu_slices, profile.memory_gb, str(profile)
