"""Settings of the device plugin and of GPU Feature Discovery: command line beats environment beats file.

Source: NVIDIA/k8s-device-plugin v0.20.0, api/config/v1/config.go and flags.go, cmd/nvidia-device-plugin/main.go,
cmd/gpu-feature-discovery/main.go. Settings that nothing in a simulated node depends on are accepted and ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

import yaml

from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.sharing import ConfigFileError, Sharing, read_sharing

CONFIG_FILE_FLAG: Final = "config-file"
_SHELLS: Final = ("sh", "bash")
_TRUE: Final = ("1", "t", "true")
_FALSE: Final = ("0", "f", "false")


class SettingsError(Exception):
    """The program cannot start with these settings; the message is what it logs after `error starting plugins: `."""


@dataclass(frozen=True)
class Option:
    """Where one setting may come from.

    Attributes:
        default: Value in the spelling of the command line where it is given nowhere.
        file: Path below `flags` of the configuration file; empty where the file has no such field.
        switch: Whether the flag stands alone on the command line and means true.
    """

    default: str
    file: tuple[str, ...] = ()
    switch: bool = False


OPTIONS: Final[Mapping[str, Option]] = {
    CONFIG_FILE_FLAG: Option(""),
    "mig-strategy": Option("none", ("migStrategy",)),
    "fail-on-init-error": Option("true", ("failOnInitError",), switch=True),
    "mps-root": Option("", ("mpsRoot",)),
    "pass-device-specs": Option("false", ("plugin", "passDeviceSpecs"), switch=True),
    "device-list-strategy": Option("envvar", ("plugin", "deviceListStrategy")),
    "device-id-strategy": Option("uuid", ("plugin", "deviceIDStrategy")),
    "cdi-annotation-prefix": Option("cdi.k8s.io/", ("plugin", "cdiAnnotationPrefix")),
    "shared-devices-allocation-policy": Option("distributed", ("plugin", "sharedDevicesAllocationPolicy")),
    "oneshot": Option("false", ("gfd", "oneshot"), switch=True),
    "no-timestamp": Option("false", ("gfd", "noTimestamp"), switch=True),
    "sleep-interval": Option("60s", ("gfd", "sleepInterval")),
}
"""By command-line flag; the environment variable is the flag in capitals with `_`, for GFD also with `GFD_` before."""


@dataclass(frozen=True)
class Settings:
    """What both programs read.

    Attributes:
        strategy: MIG strategy as given; `unknown` values are refused later, by each program in its own words.
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
    sharing: Sharing = Sharing()  # noqa: RUF009 - frozen
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
        env_prefixes: What may stand before a variable's name, the first found wins.

    Raises:
        SettingsError: A flag, the file or a value in it cannot be used.
    """
    arguments = _arguments(command)

    def given(flag: str) -> str | None:
        names = (prefix + flag.upper().replace("-", "_") for prefix in env_prefixes)
        return arguments.get(flag) or next((env[name] for name in names if env.get(name)), None)

    file = _read_config(given(CONFIG_FILE_FLAG), read_file)
    values = {flag: given(flag) or _from_file(file, option) for flag, option in OPTIONS.items()}
    settings = _settings(values, _sharing(file))
    _warn(file, settings.sharing, log)
    return settings


def _settings(values: Mapping[str, str], sharing: Sharing) -> Settings:
    return Settings(
        strategy=values["mig-strategy"],
        fail_on_init_error=_boolean(values, "fail-on-init-error"),
        sharing=sharing,
        device_list=tuple(values["device-list-strategy"].split(",")),
        device_id=values["device-id-strategy"],
        pass_device_specs=_boolean(values, "pass-device-specs"),
        allocation_policy=values["shared-devices-allocation-policy"],
        cdi_annotation_prefix=values["cdi-annotation-prefix"],
        mps_root=values["mps-root"],
        oneshot=_boolean(values, "oneshot"),
        no_timestamp=_boolean(values, "no-timestamp"),
        sleep_seconds=_duration(values["sleep-interval"]),
    )


def _arguments(command: Sequence[str]) -> dict[str, str]:
    if not command or PurePosixPath(command[0]).name in _SHELLS:
        return {}
    words = iter(command if command[0].startswith("-") else command[1:])
    found: dict[str, str] = {}
    for word in words:
        flag, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or flag not in OPTIONS:
            raise SettingsError(f"flag provided but not defined: -{flag}")
        if not equals:
            value = "true" if OPTIONS[flag].switch else next(words, "")
        repeated = flag == "device-list-strategy" and flag in found
        found[flag] = f"{found[flag]},{value}" if repeated else value
    return found


def _read_config(path: str | None, read_file: Callable[[str], str | None]) -> Mapping[str, Any]:
    if not path:
        return {}
    before = "unable to load config: unable to finalize config: unable to parse config file: "
    if (text := read_file(path)) is None:
        raise SettingsError(f"{before}error opening config file: open {path}: no such file or directory")
    before += "error parsing config file: "
    try:
        content = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{before}unmarshal error: error converting YAML to JSON: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{before}unmarshal error: error unmarshaling JSON: not an object")
    if (version := content.get("version") or "v1") != "v1":
        raise SettingsError(f"{before}unknown version: {version}")
    return content


def _sharing(file: Mapping[str, Any]) -> Sharing:
    try:
        return read_sharing(file.get("sharing") or {})
    except ConfigFileError as error:
        raise SettingsError(
            "unable to load config: unable to finalize config: unable to parse config file: error parsing config file: "
            f"unmarshal error: error unmarshaling JSON: while decoding JSON: {error}"
        ) from error


def _from_file(file: Mapping[str, Any], option: Option) -> str:
    value: Any = file.get("flags") or {}
    for key in option.file:
        value = (value or {}).get(key)
    if not option.file or value is None:
        return option.default
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _warn(file: Mapping[str, Any], sharing: Sharing, log: Klog) -> None:
    if file.get("resources"):
        log.warning("config.go:86", "Customizing the 'resources' field is not yet supported in the config. Ignoring...")
    texts = {
        "rename": ("replicas.go:60", "Setting the 'rename' field"),
        "devices": ("replicas.go:63", "Customizing the 'devices' field"),
    }
    for field, way in sharing.ignored:
        place, begin = texts[field]
        log.warning(place, f"{begin} in sharing.{way}.resources is not yet supported in the config. Ignoring...")


def _boolean(values: Mapping[str, str], flag: str) -> bool:
    text = values[flag].lower()
    if text not in _TRUE + _FALSE:
        raise SettingsError(f'could not parse "{values[flag]}" as bool value for flag {flag}: parse error')
    return text in _TRUE


def _duration(text: str) -> float | None:
    """Read seconds from `60s`, `5m`, `1h` or a bare number; None for `infinite`."""
    if text == "infinite":
        return None
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1.0)
    try:
        return float(number) * unit
    except ValueError as error:
        raise SettingsError(f'invalid duration "{text}"') from error
