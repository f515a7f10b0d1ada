"""Sources of the settings of both programs: command line, environment and configuration file, in this priority.

Source: NVIDIA/k8s-device-plugin v0.20.0, api/config/v1/config.go and flags.go, cmd/nvidia-device-plugin/main.go,
cmd/gpu-feature-discovery/main.go.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar

from conformance.spec.decoding import ConfigurationError, boolean, mapping, string
from conformance.spec.go_yaml import YamlError, read_first_document

T = TypeVar("T")

CONFIG_FILE: Final = "config-file"
FILE_ERROR: Final = (
    "unable to load config: unable to finalize config: unable to parse config file: error parsing config file: "
)
"""Prefix of errors about the content of the configuration file."""
UNREADABLE: Final = f"{FILE_ERROR}unmarshal error: error unmarshaling JSON: while decoding JSON: "
"""Prefix of errors about a value that has the wrong type or is not permitted."""
_SHELLS: Final = ("sh", "bash")
_TRUE: Final = ("1", "t", "T", "true", "TRUE", "True")
_FALSE: Final = ("0", "f", "F", "false", "FALSE", "False")
_STRUCTS: Final = {"plugin": "PluginCommandLineFlags", "gfd": "GFDCommandLineFlags"}
"""Go types of the sections of `flags`, which its decoder names in errors."""


class SettingsError(Exception):
    """The program cannot start with these settings; the message is the log line."""


class FlagError(SettingsError):
    """A flag is unknown, or it or its variable cannot be parsed: the program does not even begin to start."""


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
        FlagError: A flag is unknown.
        SettingsError: The configuration file cannot be read.
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
        self.file: Mapping[str, Any] = {}
        path = self.text(CONFIG_FILE)
        self.file = _read_config(path, read_file) if path else {}

    def text(self, flag: str) -> str:
        """Return the value of an option. An empty variable is a value: it beats the file and the default.

        Raises:
            SettingsError: The file has something else than text.
        """
        if flag in self._arguments:
            return self._arguments[flag]
        if (variable := self._variable(flag)) is not None:
            return self._env[variable]
        value = self._in_file(flag)
        return OPTIONS[flag].default if value is None else self._typed(flag, string, value)

    def truth(self, flag: str) -> bool:
        """Return the value of a boolean option; an empty variable stands for False.

        Raises:
            FlagError: The value is neither true nor false.
            SettingsError: The file has something else than a boolean.
        """
        if (text := self._arguments.get(flag)) is not None:
            if text not in _TRUE + _FALSE:
                raise FlagError(f'invalid boolean value "{text}" for -{flag}: parse error')
            return text in _TRUE
        if (variable := self._variable(flag)) is not None:
            text = self._env[variable]
            if text not in (*_TRUE, *_FALSE, ""):
                raise FlagError(
                    f'could not parse "{text}" as bool value from environment variable "{variable}" for flag {flag}: '
                    f'strconv.ParseBool: parsing "{text}": invalid syntax'
                )
            return text in _TRUE
        value = self._in_file(flag)
        return OPTIONS[flag].default == "true" if value is None else self._typed(flag, boolean, value)

    def listed(self, flag: str) -> tuple[str, ...]:
        """Return the values of an option that may have several: separated by commas, or in the file a list.

        Raises:
            SettingsError: The file has neither text nor a list of texts. A comma there is part of the text.
        """
        value = self._in_file(flag)
        if flag in self._arguments or self._variable(flag) is not None or value is None:
            return tuple(item.strip() for item in self.text(flag).split(","))
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str) for item in items):
            raise SettingsError(f"{UNREADABLE}invalid {OPTIONS[flag].file[-1]}: {json.dumps(value)}")
        return tuple(items)

    def duration(self, flag: str) -> tuple[str, str | None]:
        """Return the text of a duration, and the variable that it comes from.

        An empty variable does not count. In the file, a number is in nanoseconds.

        Returns:
            The text; and the variable, which is empty for the command line, and None for file and default.
        """
        if flag in self._arguments:
            return self._arguments[flag], ""
        if (variable := self._variable(flag)) is not None and self._env[variable]:
            return self._env[variable], variable
        value = self._in_file(flag)
        if value is None:
            return OPTIONS[flag].default, None
        return (f"{value}ns", None) if isinstance(value, int | float) else (self._typed(flag, string, value), None)

    def _variable(self, flag: str) -> str | None:
        """Return the first variable of the flag that is set."""
        variables = (prefix + flag.upper().replace("-", "_") for prefix in self._env_prefixes)
        return next((variable for variable in variables if variable in self._env), None)

    def _in_file(self, flag: str) -> Any:
        option = OPTIONS[flag]
        value: Any = section(self.file, "flags", "v1.Flags") if option.file else None
        for key in option.file:
            value = go_field(value or {}, key)
        return value

    def _typed(self, flag: str, read: Callable[[object], T], value: object) -> T:
        """Check the type of a value in the file, with the message of Go's decoder."""
        try:
            return read(value)
        except ConfigurationError as error:
            section, *_ = path = OPTIONS[flag].file
            place = f"{_STRUCTS.get(section, 'Flags')}.flags.CommandLineFlags.{'.'.join(path)}"
            raise SettingsError(f"{UNREADABLE}{error}".replace("Go value", f"Go struct field {place}")) from error


def _arguments(command: Sequence[str]) -> dict[str, str]:
    if not command or PurePosixPath(command[0]).name in _SHELLS:
        return {}
    words = iter(command if command[0].startswith("-") else command[1:])
    found: dict[str, str] = {}
    for word in words:
        flag, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or flag not in OPTIONS:
            raise FlagError(f"flag provided but not defined: -{flag}")
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
        content = mapping(read_first_document(text), "v1.Config")
    except YamlError as error:
        raise SettingsError(f"{FILE_ERROR}unmarshal error: error converting YAML to JSON: {error}") from error
    except ConfigurationError as error:
        raise SettingsError(f"{UNREADABLE}{error}") from error
    if (version := go_field(content, "version") or "v1") != "v1":
        raise SettingsError(f"{FILE_ERROR}unknown version: {version}")
    return content


def section(content: Mapping[str, Any], name: str, go_type: str) -> Mapping[str, Any]:
    """Return a section of the configuration file; empty if there is none.

    Raises:
        SettingsError: It is no mapping.
    """
    try:
        return mapping(go_field(content, name), go_type)
    except ConfigurationError as error:
        raise SettingsError(f"{UNREADABLE}{error}".replace("Go value", f"Go struct field Config.{name}")) from error


def go_field(fields: Mapping[str, Any], name: str) -> Any:
    """Return a field of a Go struct, whose name may be written in any case; None if there is none."""
    found = [value for key, value in fields.items() if key.lower() == name.lower()]
    return found[-1] if found else None
