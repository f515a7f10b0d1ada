"""The command line of nvidia-mig-parted.

Source: NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-parted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from conformance.sim.mig_parted.applying import Smi, apply_geometry, apply_modes
from conformance.sim.mig_parted.exporting import export
from conformance.sim.mig_parted.generating import generate
from conformance.sim.mig_parted.geometry import flatten
from conformance.sim.mig_parted.gpus import gpus_of_node
from conformance.sim.mig_parted.matching import assert_geometry, assert_modes
from conformance.sim.mig_parted.output import MigPartedError, Output, Result, capitalized
from conformance.spec.mig_parted import ConfigurationError, Configurations, Entry, parse

if TYPE_CHECKING:
    from conformance.sim.nvml import Nvml


def run(
    argv: Sequence[str],
    nvml: Nvml,
    smi: Smi,
    read_file: Callable[[str], str | None],
    *,
    subsystem_filters: bool = True,
) -> Result:
    """Run `nvidia-mig-parted` once.

    Args:
        argv: Arguments without the program's name: `-d` and one of assert, apply, export, generate-config.
        nvml: The GPUs of the node.
        smi: Runs nvidia-smi; used for GPU resets only.
        read_file: Returns the content of a file; None if there is none.
        subsystem_filters: Whether a device filter may name a PCI subsystem (from v0.15.0); otherwise such a filter
            matches nothing.
    """
    output = Output()
    try:
        options = _parser().parse_args(argv)
        output.debug = options.debug
        _COMMANDS[options.command](_Run(options, nvml, smi, read_file, output, subsystem_filters))
    except MigPartedError as error:
        output.log("fatal", capitalized(str(error)))
        return Result(1, output.stdout, output.stderr)
    return Result(0, output.stdout, output.stderr)


@dataclass(frozen=True)
class _Run:
    """One run of the command."""

    options: argparse.Namespace
    nvml: Nvml
    smi: Smi
    read_file: Callable[[str], str | None]
    output: Output
    subsystem_filters: bool

    def selected(self) -> tuple[Entry, ...]:
        """Return the entries of the selected configuration."""
        path = self.options.config_file
        if (text := self.read_file(path)) is None:
            raise MigPartedError(f"error parsing config file: read error: open {path}: no such file or directory")
        try:
            configurations = (
                _lenient(text) if self.nvml.hardware.faults.on("mig-parted-skips-errors") else _parsed(text)
            )
        except ConfigurationError as error:
            raise MigPartedError(f"error parsing config file: unmarshal error: {_decoding(str(error))}") from error
        name, faults = self.options.selected_config, self.nvml.hardware.faults
        if faults.on("mig-parted-completes-profiles") and f"all-{name}" in configurations.entries:
            name = f"all-{name}"
        try:
            entries = configurations.select(name)
        except ConfigurationError as error:
            raise MigPartedError(f"error selecting MIG config: {error}") from error
        if faults.on("mig-parted-ignores-filters"):
            entries = tuple(replace(entry, device_filter=()) for entry in entries)
        if faults.on("mig-parted-counts-from-one"):
            entries = tuple(map(_counted_from_one, entries))
        return entries if self.subsystem_filters else tuple(map(_without_subsystems, entries))


_parsed = lru_cache(maxsize=64)(parse)
"""Files that were read lately: what one text holds can be read once, as nobody can change it afterwards."""


def _lenient(text: str) -> Configurations:
    """Return the configurations of a file that are valid, without the others (the fault `mig-parted-skips-errors`)."""
    try:
        return _parsed(text)
    except ConfigurationError as error:
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError:
            raise error from None
        entries: dict[str, tuple[Entry, ...]] = {}
        for name, listed in content["mig-configs"].items():
            with suppress(ConfigurationError):
                entries |= parse(yaml.safe_dump({**content, "mig-configs": {name: listed}})).entries
        return Configurations(entries)


def _without_subsystems(entry: Entry) -> Entry:
    """Replace filters that name a subsystem by one that matches nothing; an empty list would match everything."""
    return replace(entry, device_filter=tuple("" if ":" in part else part for part in entry.device_filter))


def _counted_from_one(entry: Entry) -> Entry:
    return replace(entry, devices=entry.devices and tuple(index - 1 for index in entry.devices))


def _decoding(problem: str) -> str:
    """Return a problem with the prefix of sigs.k8s.io/yaml, which converts YAML to JSON before it decodes it."""
    if problem.startswith("error converting YAML to JSON"):
        return problem
    return f"error unmarshaling JSON: while decoding JSON: {problem}"


def _assert(run: _Run) -> None:
    entries = run.selected()
    if run.options.valid_config:
        run.output.say("Selected MIG configuration is valid")
        return
    try:
        with gpus_of_node(run.nvml) as gpus:
            assert_modes(entries, gpus)
            if not run.options.mode_only:
                assert_geometry(entries, gpus)
    except MigPartedError as error:
        run.output.log("debug", capitalized(str(error)))
        raise MigPartedError("Assertion failure: selected configuration not currently applied") from error
    what = "MIG mode settings from configuration" if run.options.mode_only else "MIG configuration"
    run.output.say(f"Selected {what} currently applied")


def _apply(run: _Run) -> None:
    entries = run.selected()
    try:
        with gpus_of_node(run.nvml) as gpus:
            if run.nvml.hardware.faults.on("mig-parted-skips-foreign-profiles"):
                entries = tuple(entry for entry in entries if flatten(entry.mig_devices, gpus) or not entry.mig_devices)
            apply_modes(entries, gpus, run.smi, run.output)
            if not run.options.mode_only:
                apply_geometry(entries, gpus, run.output)
    except MigPartedError as error:
        raise MigPartedError(f"error applying MIG configuration with hooks: {error}") from error
    run.output.say("MIG configuration applied successfully")


def _export(run: _Run) -> None:
    with gpus_of_node(run.nvml) as gpus:
        _print(export(gpus, run.options.config_label), run)


def _generate(run: _Run) -> None:
    try:
        _print(generate(run.nvml, run.output), run)
    except MigPartedError as error:
        raise MigPartedError(f"error generating MIG config: {error}") from error


def _print(content: dict[str, Any], run: _Run) -> None:
    as_json = run.options.output_format == "json"
    run.output.say(json.dumps(content, indent=2) if as_json else yaml.safe_dump(content, sort_keys=False))


_COMMANDS: dict[str, Callable[[_Run], None]] = {
    "assert": _assert,
    "apply": _apply,
    "export": _export,
    "generate-config": _generate,
}


class _Parser(argparse.ArgumentParser):
    """A parser that raises an error for an invalid command line instead of exiting."""

    def error(self, message: str) -> NoReturn:
        raise MigPartedError(message)


@cache
def _parser() -> argparse.ArgumentParser:
    parser = _Parser("nvidia-mig-parted", add_help=False)
    parser.add_argument("-d", "--debug", action="store_true")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("assert", "apply"):
        command = commands.add_parser(name, add_help=False)
        command.add_argument("-f", "--config-file", required=True)
        command.add_argument("-c", "--selected-config")
        command.add_argument("-m", "--mode-only", action="store_true")
    commands.choices["assert"].add_argument("-a", "--valid-config", action="store_true")
    for name in ("export", "generate-config"):
        command = commands.add_parser(name, add_help=False)
        command.add_argument("-o", "--output-format", choices=["json", "yaml"], default="yaml")
    commands.choices["export"].add_argument("-l", "--config-label", default="current")
    return parser
