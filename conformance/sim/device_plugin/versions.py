"""What older versions of the device plugin do otherwise than v0.20.0.

Source: NVIDIA/k8s-device-plugin, the files named below at the tags v0.17.0 to v0.20.0, and the libraries that each
vendors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from conformance.sim.device_plugin.settings import Settings
from conformance.spec.releases import at_least

_V018: Final = "v0.18.0"
_V020: Final = "v0.20.0"


@dataclass(frozen=True)
class Behaviour:
    """What depends on the version; by default as v0.20.0.

    Attributes:
        whole_names: Whether a profile must match exactly (v0.20.0, api/config/v1/resources.go), or may be a substring
            of the profile of the device.
        cdi_without_parents: Whether the CDI specification leaves out GPUs in MIG mode, and one without devices is an
            error (v0.18.0, vendored nvidia-container-toolkit, pkg/nvcdi/lib-nvml.go, and container-device-interface,
            pkg/cdi/spec.go).
        unique_ids: Whether a container with several replicas of a device gets its id once (v0.18.0,
            internal/plugin/server.go).
    """

    whole_names: bool = True
    cdi_without_parents: bool = True
    unique_ids: bool = True


def behaviour_of(version: str) -> Behaviour:
    """Return what a version does; an image without a version is the newest.

    Raises:
        VersionError: The tag is not a version.
    """
    is_v018 = _is_at_least(version, _V018)
    return Behaviour(_is_at_least(version, _V020), cdi_without_parents=is_v018, unique_ids=is_v018)


def settings_as_read_by(version: str, settings: Settings) -> Settings:
    """Return what a version makes of its settings: before v0.20.0 no policy could be chosen, and MPS had a fixed limit.

    Source: cmd/nvidia-device-plugin/main.go and api/config/v1/config.go.

    Raises:
        VersionError: The tag is not a version.
    """
    if _is_at_least(version, _V020):
        return settings
    sharing = settings.sharing
    if sharing.strategy == "mps":
        sharing = replace(sharing, one_at_most=True)
    return replace(settings, allocation_policy="distributed", sharing=sharing)


def _is_at_least(version: str, wanted: str) -> bool:
    return not version or at_least(version, wanted)
