"""Settings of the device plugin and of GPU Feature Discovery, which share one configuration file.

Source: NVIDIA/k8s-device-plugin v0.20.0, api/config/v1 (config.go, flags.go, duration.go).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.options import FILE_ERROR, SettingsError, Sources
from conformance.sim.device_plugin.sharing import ConfigFileError, Sharing, read_sharing

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0}
_WITHOUT_EFFECT: Final = {
    "rename": ("replicas.go:60", "Setting the 'rename' field"),
    "devices": ("replicas.go:63", "Customizing the 'devices' field"),
}
"""Fields of a shared resource that the programs ignore: place and begin of the warning."""


@dataclass(frozen=True)
class Settings:
    """What both programs read.

    Attributes:
        strategy: MIG strategy as given; each program refuses an unknown one later, in its own words.
        fail_on_init_error: Whether a failing NVML initialisation ends the program; if not it idles.
        sharing: What is handed out several times over.
        device_list: Ways in which a container is told its devices.
        device_id: `uuid` or `index`.
        pass_device_specs: Whether answers name device nodes.
        allocation_policy: `distributed` or `packed`, for MIG and shared devices.
        cdi_annotation_prefix: Begin of the key of a CDI annotation.
        mps_root: Host directory of the MPS daemon; empty for none.
        oneshot: Whether GFD labels once and ends.
        no_timestamp: Whether GFD leaves its timestamp label out.
        sleep_seconds: Pause between two runs of GFD; None for one run and then rest.
    """

    strategy: str = "none"
    fail_on_init_error: bool = True
    sharing: Sharing = field(default_factory=Sharing)
    device_list: tuple[str, ...] = ("envvar",)
    device_id: str = "uuid"
    pass_device_specs: bool = False
    allocation_policy: str = "distributed"
    cdi_annotation_prefix: str = "cdi.k8s.io/"
    mps_root: str = ""
    oneshot: bool = False
    no_timestamp: bool = False
    sleep_seconds: float | None = 60.0


def read_settings(
    command: Sequence[str],
    env: Mapping[str, str],
    read_file: Callable[[str], str | None],
    log: Klog,
    env_prefixes: Sequence[str] = ("",),
) -> Settings:
    """Collect the settings of a program.

    Args:
        command: Entry point and arguments; a shell as entry point passes none on.
        env: Environment.
        read_file: Text of a mounted file; None if there is no such file.
        log: Takes the warnings about fields without effect.
        env_prefixes: What may stand before a variable's name; the first that is set wins.

    Raises:
        SettingsError: A flag, the file or a value in it cannot be used.
    """
    sources = Sources(command, env, read_file, env_prefixes)
    settings = Settings(
        strategy=sources.text("mig-strategy"),
        fail_on_init_error=sources.truth("fail-on-init-error"),
        sharing=_sharing(sources),
        device_list=tuple(sources.text("device-list-strategy").split(",")),
        device_id=sources.text("device-id-strategy"),
        pass_device_specs=sources.truth("pass-device-specs"),
        allocation_policy=sources.text("shared-devices-allocation-policy"),
        cdi_annotation_prefix=sources.text("cdi-annotation-prefix"),
        mps_root=sources.text("mps-root"),
        oneshot=sources.truth("oneshot"),
        no_timestamp=sources.truth("no-timestamp"),
        sleep_seconds=_seconds(sources.text("sleep-interval")),
    )
    _warn(sources, settings.sharing, log)
    return settings


def _sharing(sources: Sources) -> Sharing:
    try:
        return read_sharing(sources.file.get("sharing") or {})
    except ConfigFileError as error:
        before = f"{FILE_ERROR}unmarshal error: error unmarshaling JSON: while decoding JSON: "
        raise SettingsError(f"{before}{error}") from error


def _seconds(text: str) -> float | None:
    """Read `60s`, `5m`, `1h` or bare seconds; None for `infinite`."""
    if text == "infinite":
        return None
    unit = text[-1:] if text[-1:] in _UNITS else ""
    try:
        return float(text.removesuffix(unit)) * _UNITS.get(unit, 1.0)
    except ValueError as error:
        raise SettingsError(f'time: invalid duration "{text}"') from error


def _warn(sources: Sources, sharing: Sharing, log: Klog) -> None:
    ending = "is not yet supported in the config. Ignoring..."
    if sources.file.get("resources"):
        log.warning("config.go:86", f"Customizing the 'resources' field {ending}")
    for without_effect, way in sharing.ignored:
        place, begin = _WITHOUT_EFFECT[without_effect]
        log.warning(place, f"{begin} in sharing.{way}.resources {ending}")
