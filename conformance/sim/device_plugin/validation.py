"""Which settings the device plugin refuses at its start.

Source: NVIDIA/k8s-device-plugin v0.20.0, cmd/nvidia-device-plugin/main.go (validateFlags).
"""

from __future__ import annotations

from typing import Final

from conformance.sim.device_plugin.options import SettingsError
from conformance.sim.device_plugin.settings import Settings
from conformance.spec.names import Strategy

_DEVICE_LISTS: Final = ("envvar", "volume-mounts", "cdi-annotations", "cdi-cri")


def validate(settings: Settings, *, has_library: bool) -> Strategy:
    """Return the MIG strategy of settings that can be used.

    Args:
        settings: Of the plugin.
        has_library: Whether NVML's library is there, without which CDI cannot be.

    Raises:
        SettingsError: The first setting that cannot be used.
    """
    for way in settings.device_list:
        if way not in _DEVICE_LISTS:
            raise SettingsError(f"invalid --device-list-strategy option: invalid strategy: {way}")
    if uses_cdi(settings) and not has_library:
        raise SettingsError("CDI --device-list-strategy options are only supported on NVML-based systems")
    if settings.device_id not in ("uuid", "index"):
        raise SettingsError(f"invalid --device-id-strategy option: {settings.device_id}")
    if settings.allocation_policy not in ("distributed", "packed"):
        raise SettingsError(f"invalid --shared-devices-allocation-policy option: {settings.allocation_policy}")
    if settings.sharing.strategy == "mps":
        if settings.strategy == Strategy.MIXED:
            raise SettingsError("using --mig-strategy=mixed is not supported with MPS")
        if not settings.mps_root:
            raise SettingsError("using MPS requires --mps-root to be specified")
    if settings.strategy not in set(Strategy):
        raise SettingsError(f"unknown MIG strategy: {settings.strategy}")
    return Strategy(settings.strategy)


def uses_cdi(settings: Settings) -> bool:
    """Whether devices are handed over through CDI, alone or beside another way."""
    return any(way.startswith("cdi-") for way in settings.device_list)
