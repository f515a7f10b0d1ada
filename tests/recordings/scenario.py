"""A recorded scenario of mig-manager: what was on the stand at its start, and what came of it.

A recording names some conditions only through what happened: paths through the log, and how long pods took to end
through the times between events.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.sim.hardware import NodeHardware
from conformance.spec import names
from tests.recordings.loader import State, board_of, state_in
from tests.recordings.stand import Change, Plan
from tests.recordings.stand_pods import NEVER, OPERANDS

Event = Mapping[str, Any]
_LEFT_OUT = re.compile(
    r"""level=(info msg="(Generated config '|Current value of)|debug msg="(?! {4}(Updating MIG config|Clearing)))"""
)
_LONGEST_LOG = 160
"""Lines that the recorder left out, and where it ended a long log."""


@dataclass
class Outcome:
    """What was seen, in the form in which a recording has it.

    Attributes:
        changes: Changes of the node's labels.
        snapshots: Labels and GPUs at the quiet moments.
        exit_codes: Of mig-manager.
        reboots: Whether a reboot had been asked for, each time the recorder looked.
        log: Lines of mig-manager.
    """

    changes: list[Change] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)
    exit_codes: list[int] = field(default_factory=list)
    reboots: list[bool] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


def expected(scenario: Mapping[str, Any]) -> Outcome:
    """Read what the real program did."""
    events = scenario["events"]
    return Outcome(
        changes=[
            Change(event["set"], tuple(sorted(event.get("removed", ()))), event["by"])
            for event in events
            if event["kind"] == "labels"
        ],
        snapshots=[_recorded_snapshot(event) for event in events if event["kind"] == "snapshot"],
        exit_codes=scenario["exit_codes"],
        reboots=[found for event in events if (found := reboot_noted(event)) is not None],
        log=[line for _, line in scenario["log"]],
    )


def told(log: list[str]) -> list[str]:
    """Thin a log as the recorder did."""
    return [line for line in log if not _LEFT_OUT.match(line)][:_LONGEST_LOG]


def states(changes: list[Change]) -> list[str]:
    """List the values that the state label took."""
    return [change.set[names.MIG_CONFIG_STATE] for change in changes if names.MIG_CONFIG_STATE in change.set]


def pods_of(events: list[Event]) -> dict[str, list[str]]:
    """App label to what happened to its pods."""
    found: dict[str, list[str]] = {}
    for event in _pods(events):
        found.setdefault(event["app"], []).append(event["event"])
    return found


def _pods(events: list[Event]) -> list[Event]:
    """What happened to pods, without that of mig-manager: one is on every stand, and the player starts its program."""
    return [event for event in events if event["kind"] == "pod" and event["app"] != names.MIG_MANAGER_APP]


def hardware_of(scenario: Mapping[str, Any]) -> NodeHardware:
    """Build the node of a scenario, with MIG off."""
    return NodeHardware([board_of(sku) for sku in scenario["skus"]])


def plan_of(scenario: Mapping[str, Any]) -> Plan:
    """Find out what was on the stand."""
    pods = _pods(scenario["events"])
    others = {event["app"] for event in pods} - OPERANDS.keys()
    coming_back = {event["app"] for event in pods if event["event"] == "bound"}
    clients = dict.fromkeys(others & coming_back, names.DEPLOY_CLIENT)
    return Plan(
        labels=scenario["labels_at_start"],
        daemon_sets=OPERANDS | clients,
        pods=tuple(others - coming_back),
        lingering=_lingering(pods),
    )


def _lingering(pods: list[Event]) -> dict[str, float]:
    """App to the seconds that its pods took to end; for ever where none ended."""
    seconds: dict[str, float] = {}
    started: dict[str, float] = {}
    for event in pods:
        if event["event"] == "terminating":
            started[event["app"]] = event["t"]
        elif event["event"] == "gone":
            seconds[event["app"]] = round(event["t"] - started[event["app"]], 1)
    return dict.fromkeys(started, NEVER) | seconds


def reboot_noted(event: Event) -> bool | None:
    """Whether the recorder noted that a reboot had been asked for; None where it noted nothing of that."""
    found = re.search(r"reboot requested: (True|False)", event.get("text", ""))
    return None if found is None else found[1] == "True"


def path_of(scenario: Mapping[str, Any]) -> str:
    """Path of the configuration file, which stands in the log."""
    patterns = (r"Using (?:custom|default) config: ([^\"]+)\"", r"failed to read custom config (\S+):")
    return next((found for pattern in patterns if (found := find_in_log(scenario, pattern))), "/config.yaml")


def find_in_log(scenario: Mapping[str, Any], pattern: str) -> str | None:
    """Return what the first group of the pattern matches somewhere in the log; None for nothing."""
    found = re.search(pattern, "\n".join(line for _, line in scenario["log"]))
    return found[1] if found else None


def _recorded_snapshot(event: Event) -> dict[str, Any]:
    gpus: State = state_in(event["gpus"])
    told = {key: event[key] for key in ("mig_config", "mig_config_state", "deploy", "reconfigurations")}
    return told | {"gpus": gpus}
