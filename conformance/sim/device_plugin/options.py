"""Sources of the settings of both programs: command line, environment and configuration file, in this priority.

Source: NVIDIA/k8s-device-plugin v0.20.0, api/config/v1/config.go and flags.go, cmd/nvidia-device-plugin/main.go,
cmd/gpu-feature-discovery/main.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

import yaml

CONFIG_FILE: Final = "config-file"
FILE_ERROR: Final = (
    "unable to load config: unable to finalize config: unable to parse config file: error parsing config file: "
)
"""Prefix of errors about the content of the configuration file."""
_SHELLS: Final = ("sh", "bash")
_TRUE: Final = ("1", "t", "true")
_FALSE: Final = ("0", "f", "false")


class SettingsError(Exception):
    """The program cannot start with these settings; the message is the log line."""


@dataclass(frozen=True)
class Option:
    """Sources of one setting.

    Attributes:
        default: Default value, as on the command line.
        file: Path under `flags` in the configuration file; empty if the file has no such field.
        switch: Whether the flag is boolean and needs no value on the command line.
    """

    default: str
    file: tuple[str, ...] = ()
    switch: bool = False


OPTIONS: Final[Mapping[str, Option]] = {
    CONFIG_FILE: Option(""),
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
"""Options by command-line flag; the environment variable is the flag in upper case with `_` for `-`.

Options that do not affect a simulated node are missing: they are ignored in environment and file, and rejected on the
command line.
"""


class Sources:
    """The settings of one program from all three sources.

    Args:
        command: Entry point and arguments; arguments of a shell are ignored.
        env: Environment.
        read_file: Returns the text of a mounted file; None if there is no such file.
        env_prefixes: Prefixes of variables; the first variable that is set wins.

    Attributes:
        file: Content of the configuration file; empty if there is none.

    Raises:
        SettingsError: A flag is unknown, or the configuration file cannot be read.
    """

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        read_file: Callable[[str], str | None],
        env_prefixes: Sequence[str],
    ) -> None:
        self._arguments = _arguments(command)
        self._env = env
        self._env_prefixes = env_prefixes
        path = self._given(CONFIG_FILE)
        self.file = _read_config(path, read_file) if path else {}

    def text(self, flag: str) -> str:
        """Return the value of an option, as on the command line."""
        return self._given(flag) or self._from_file(OPTIONS[flag])

    def truth(self, flag: str) -> bool:
        """Return the value of a boolean option.

        Raises:
            SettingsError: The value is neither true nor false.
        """
        text = self.text(flag).lower()
        if text not in _TRUE + _FALSE:
            raise SettingsError(f'could not parse "{text}" as bool value for flag {flag}: parse error')
        return text in _TRUE

    def _given(self, flag: str) -> str | None:
        if flag in self._arguments:
            return self._arguments[flag]
        variables = (prefix + flag.upper().replace("-", "_") for prefix in self._env_prefixes)
        return next((self._env[variable] for variable in variables if self._env.get(variable)), None)

    def _from_file(self, option: Option) -> str:
        value: Any = self.file.get("flags")
        for key in option.file:
            value = (value or {}).get(key)
        if not option.file or value is None:
            return option.default
        if isinstance(value, list):
            return ",".join(str(item) for item in value)
        return str(value).lower() if isinstance(value, bool) else str(value)


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
        is_list = flag == "device-list-strategy" and flag in found
        found[flag] = f"{found[flag]},{value}" if is_list else value
    return found


def _read_config(path: str, read_file: Callable[[str], str | None]) -> Mapping[str, Any]:
    if (text := read_file(path)) is None:
        opening = FILE_ERROR.replace("error parsing", "error opening")
        raise SettingsError(f"{opening}open {path}: no such file or directory")
    try:
        content = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{FILE_ERROR}unmarshal error: error converting YAML to JSON: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{FILE_ERROR}unmarshal error: error unmarshaling JSON: not an object")
    if (version := content.get("version") or "v1") != "v1":
        raise SettingsError(f"{FILE_ERROR}unknown version: {version}")
    return content
