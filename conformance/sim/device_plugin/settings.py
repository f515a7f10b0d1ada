"""Settings of the device plugin and GPU Feature Discovery, which share a configuration file, and their validation.

Source: NVIDIA/k8s-device-plugin v0.20.0, api/config/v1 (config.go, flags.go, duration.go),
cmd/nvidia-device-plugin/main.go (validateFlags).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.options import UNREADABLE, FlagError, SettingsError, Sources, go_field, section
from conformance.sim.device_plugin.sharing import ConfigFileError, Sharing, read_sharing
from conformance.spec.names import Strategy

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_PART: Final = re.compile(r"(\d+(?:\.\d*)?)(ms|us|ns|h|m|s)")
_NUMBER: Final = re.compile(r"\d+(\.\d*)?")
_WITHOUT_EFFECT: Final = {
    "rename": ("replicas.go:60", "Setting the 'rename' field"),
    "devices": ("replicas.go:63", "Customizing the 'devices' field"),
}
"""Fields of a shared resource that the programs ignore: place and first words of the warning."""
_DEVICE_LISTS: Final = ("envvar", "volume-mounts", "cdi-annotations", "cdi-cri")


@dataclass(frozen=True)
class Settings:
    """Settings of both programs.

    Attributes:
        strategy: MIG strategy, not validated: each program rejects an unknown one later, with its own message.
        fail_on_init_error: Whether the program exits if NVML cannot be initialised; otherwise it idles.
        sharing: Sharing of resources.
        device_list: Ways to pass devices to a container.
        device_id: `uuid` or `index`.
        pass_device_specs: Whether responses contain device nodes.
        allocation_policy: `distributed` or `packed`, for MIG and shared devices.
        cdi_annotation_prefix: Prefix of the keys of CDI annotations.
        mps_root: Host directory of the MPS daemon; empty for none.
        oneshot: Whether GFD labels the node once and exits.
        no_timestamp: Whether GFD omits the timestamp label.
        sleep_seconds: Seconds between two runs of GFD; None for a single run, after which it idles.
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
    """Read the settings of a program.

    Args:
        command: Entry point and arguments; arguments of a shell are ignored.
        env: Environment.
        read_file: Returns the text of a mounted file; None if there is no such file.
        log: Log for warnings about fields without effect.
        env_prefixes: Prefixes of variables; the first variable that is set wins.

    Raises:
        SettingsError: A flag, the file or a value in it is invalid.
    """
    sources = Sources(command, env, read_file, env_prefixes)
    settings = Settings(
        strategy=sources.text("mig-strategy"),
        fail_on_init_error=sources.truth("fail-on-init-error"),
        sharing=_sharing(sources),
        device_list=sources.listed("device-list-strategy"),
        device_id=sources.text("device-id-strategy"),
        pass_device_specs=sources.truth("pass-device-specs"),
        allocation_policy=sources.text("shared-devices-allocation-policy"),
        cdi_annotation_prefix=sources.text("cdi-annotation-prefix"),
        mps_root=sources.text("mps-root"),
        oneshot=sources.truth("oneshot"),
        no_timestamp=sources.truth("no-timestamp"),
        sleep_seconds=_sleep_seconds(sources),
    )
    _warn(sources, settings.sharing, log)
    return settings


def _sharing(sources: Sources) -> Sharing:
    try:
        return read_sharing(section(sources.file, "sharing", "v1.Sharing"))
    except ConfigFileError as error:
        raise SettingsError(f"{UNREADABLE}{error}") from error


def _sleep_seconds(sources: Sources) -> float | None:
    text, origin = sources.duration("sleep-interval")
    try:
        return _seconds(text)
    except ValueError as error:
        if origin is None:
            raise SettingsError(f"{UNREADABLE}{error}") from error
        before = f'could not parse "{text}" from environment variable "{origin}" as value for flag sleep-interval: '
        raise FlagError(f"{before if origin else ''}{error}") from error


def _seconds(text: str) -> float | None:
    """Parse `60s`, `1h30m` and the like; None for `infinite`."""
    if text == "infinite":
        return None
    parts = _PART.findall(text)
    if "".join(number + unit for number, unit in parts) == text != "":
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    problem = "missing unit in" if _NUMBER.fullmatch(text) else "invalid"
    raise ValueError(f'time: {problem} duration "{text}"')


def _warn(sources: Sources, sharing: Sharing, log: Klog) -> None:
    ending = "is not yet supported in the config. Ignoring..."
    if go_field(sources.file, "resources"):
        log.warning("config.go:86", f"Customizing the 'resources' field {ending}")
    for without_effect, way in sharing.ignored:
        place, begin = _WITHOUT_EFFECT[without_effect]
        log.warning(place, f"{begin} in sharing.{way}.resources {ending}")


def validate(settings: Settings, *, has_library: bool) -> Strategy:
    """Validate the settings and return the MIG strategy.

    Args:
        settings: Settings of the plugin.
        has_library: Whether the NVML library is present, which CDI requires.

    Raises:
        SettingsError: A setting is invalid; the message names the first one.
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
    """Return whether devices are passed through CDI, possibly in addition to other ways."""
    return any(way.startswith("cdi-") for way in settings.device_list)
