"""A recorded scenario of mig-manager: what was on the stand at its start, and how its steps are done again.

A recording names some conditions only through what happened: paths through the log, and how long pods took to end
through the times between events.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.sim.hardware import Gpu, NodeHardware
from conformance.spec import names
from conformance.spec.profile import Profile
from tests.recordings.loader import COMPUTE_PROFILES, State, board_of, state_in, state_of
from tests.recordings.stand import NEVER, OPERANDS, Change, Plan, Stand

Event = Mapping[str, Any]
BROKEN = "version: v1\nmig-configs: [unclosed\n"


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
        reboots=[found for event in events if (found := _reboot_noted(event)) is not None],
        log=[line for _, line in scenario["log"]],
    )


def told(log: list[str]) -> list[str]:
    """Thin a log as the recorder did."""
    return [line for line in log if not _LEFT_OUT.match(line)][:_LONGEST_LOG]


def _pods(events: list[Event]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for event in events:
        if event["kind"] == "pod":
            found.setdefault(event["app"], []).append(event["event"])
    return found


def states(changes: list[Change]) -> list[str]:
    """List the values that the state label took."""
    return [change.set[names.MIG_CONFIG_STATE] for change in changes if names.MIG_CONFIG_STATE in change.set]


def hardware_of(scenario: Mapping[str, Any]) -> NodeHardware:
    """Build the node of a scenario, with MIG off."""
    return NodeHardware([board_of(sku) for sku in scenario["skus"]])


def plan_of(scenario: Mapping[str, Any]) -> Plan:
    """Find out what was on the stand."""
    pods = [event for event in scenario["events"] if event["kind"] == "pod"]
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


class Player:
    """Does a scenario again, step by step: each when everything recorded before it has come, and after as long."""

    def __init__(self, scenario: Mapping[str, Any], stand: Stand) -> None:
        self._scenario = scenario
        self._stand = stand
        self._outcome = Outcome()
        self._changes = 0
        self._path = _path(scenario)
        self._content = _text(scenario.get("config_file"))
        self._stand.files.update({self._path: self._content} if self._content is not None else {})

    async def play(self) -> Outcome:
        """Do all steps; what was seen."""
        steps: dict[str, Callable[[Event], Awaitable[None]]] = {
            "labels": self._await_change, "snapshot": self._snapshot, "exit": self._exit, "action": self._act,
        }  # fmt: skip
        last = 0.0
        for event in self._scenario["events"]:
            if event["kind"] not in steps:
                continue
            if event["kind"] in {"action", "snapshot"}:
                await self._stand.clock.sleep(event["t"] - last)
                await self._caught_up(event["t"])
            await steps[event["kind"]](event)
            last = event["t"]
        self._outcome.changes = self._stand.changes
        self._outcome.log = self._stand.log
        return self._outcome

    async def _caught_up(self, until: float) -> None:
        """Wait for what was logged and for what became of pods until then.

        Lines that do not come are told by the comparison of logs. Pods are waited for, not compared: where one run
        follows another at once, it is chance whether they come back in between.
        """
        lines = sum(seconds < until for seconds, _ in self._scenario["log"])
        pods = _pods([event for event in self._scenario["events"] if event["t"] <= until])
        await self._stand.came(lambda: len(told(self._stand.log)) >= lines)
        await self._stand.came(lambda: all(len(self._stand.pods.get(app, ())) >= len(pods[app]) for app in pods))

    async def _await_change(self, event: Event) -> None:
        self._changes += 1
        await self._stand.until(
            lambda: len(self._stand.changes) >= self._changes, f"change {self._changes} of labels, {event}"
        )

    async def _snapshot(self, event: Event) -> None:
        await self._stand.ended(event["reconfigurations"])
        labels = self._stand.labels
        deploy = {key.removeprefix(names.DEPLOY_PREFIX): labels[key] for key in labels if key in _DEPLOY}
        self._outcome.snapshots.append(
            {
                "mig_config": labels.get(names.MIG_CONFIG),
                "mig_config_state": labels.get(names.MIG_CONFIG_STATE),
                "deploy": deploy,
                "gpus": state_of(self._stand.hardware),
                "reconfigurations": self._stand.finished,
            }
        )

    async def _exit(self, _: Event) -> None:
        """mig-manager ended: by the signal before, which was told then, or by itself."""
        if len(self._outcome.exit_codes) < self._stand.starts:
            self._outcome.exit_codes.append(await self._stand.exit_code())

    async def _act(self, event: Event) -> None:
        match event["action"]:
            case "start-mig-manager":
                await self._stand.start_manager(self._environment(event))
            case "stop-mig-manager":
                self._outcome.exit_codes.append(await self._stand.stop_manager(event["signal"]))
            case "set-label":
                await self._stand.label(event["key"], event["value"])
            case "remove-label":
                await self._stand.label(event["key"], None)
            case "mock":
                mock(self._stand.hardware, event["args"])
            case "note":
                await self._note(event)
            case "config-maps":
                pass  # The recorder looked them up; what it found is told by the log and the generated configurations.
            case unknown:
                raise ValueError(f"a scenario has no action {unknown!r} that this replay knows")

    def _environment(self, event: Event) -> dict[str, str]:
        """Build the environment: what was recorded of it, and paths that only the log tells."""
        env = dict(event.get("env", {}))
        if event["config"] == "file":
            env["CONFIG_FILE"] = self._path
        for variable, pattern in _TOLD_BY_LOG.items():
            if found := _find(self._scenario, pattern):
                env[variable] = found
        return env

    async def _note(self, event: Event) -> None:
        text = event["text"]
        if _reboot_noted(event) is not None:
            self._outcome.reboots.append(self._stand.reboot_asked)
        elif found := re.fullmatch(r"entry (\S+) now asks for (\d+)", text):
            self._stand.files[self._path] = _with_count(self._stand.files[self._path], found[1], int(found[2]))
        elif found := re.fullmatch(r"config file (\w+)", text):
            self._change_file(found[1])
        elif found := re.fullmatch(r"(.*) made by hand", text):
            make_by_hand(self._stand.hardware, found[1].split(" + "))
        elif text == "Node object deleted and created again":
            await self._stand.recreate_node()

    def _change_file(self, how: str) -> None:
        self._stand.files.pop(self._path, None)
        if how == "broken":
            self._stand.files[self._path] = BROKEN
        elif how != "removed" and self._content is not None:
            self._stand.files[self._path] = self._content


def mock(hardware: NodeHardware, command: str) -> None:
    """Do what a command of the recorder's NVML mock does."""
    match command.split():
        case ["set", *settings]:
            for setting in settings:
                _set(hardware, *setting.split("="))
        case ["busy", gpu, pid, *instance]:
            hardware.hold(int(gpu), int(pid), *map(int, instance))
        case ["idle", *pid]:
            hardware.release(*map(int, pid))
        case ["reboot"]:
            hardware.reboot()
        case ["reset"]:
            hardware.reset()
        case _:
            raise ValueError(f"the mock has no command {command!r} that this replay knows")


def _set(hardware: NodeHardware, key: str, value: str) -> None:
    match key:
        case "init_error":
            hardware.init_error = int(value) or None
        case "mode_needs_reboot":
            hardware.mode_needs_reboot = value == "1"
        case "profiles_need_mig":
            hardware.profiles_need_mig = value == "1"
        case "mig_capable":
            for gpu in hardware.gpus:
                gpu.mig_capable = value == "1"
        case _:
            raise ValueError(f"the mock has no setting {key!r} that this replay knows")


def make_by_hand(hardware: NodeHardware, profiles: list[str]) -> None:
    """Switch MIG on and create these MIG devices on every GPU, where the driver likes."""
    for gpu in hardware.gpus:
        gpu.mode_current = gpu.mode_pending = True
        for name in profiles:
            _create(gpu, Profile.parse(name))


def _create(gpu: Gpu, profile: Profile) -> None:
    row = next(row for row in gpu.model.profiles if row.profile == profile)
    gpu.create_compute_instance(gpu.create_instance(row), COMPUTE_PROFILES[row.slices])


def _path(scenario: Mapping[str, Any]) -> str:
    """Path of the configuration file, which stands in the log."""
    patterns = (r"Using (?:custom|default) config: ([^\"]+)\"", r"failed to read custom config (\S+):")
    return next((found for pattern in patterns if (found := _find(scenario, pattern))), "/config.yaml")


def _find(scenario: Mapping[str, Any], pattern: str) -> str | None:
    found = re.search(pattern, "\n".join(line for _, line in scenario["log"]))
    return found[1] if found else None


def _text(content: object) -> str | None:
    return content if content is None or isinstance(content, str) else json.dumps(content)


def _with_count(text: str, name: str, count: int) -> str:
    content = json.loads(text)
    for entry in content["mig-configs"][name]:
        entry["mig-devices"] = dict.fromkeys(entry["mig-devices"], count)
    return json.dumps(content)


def _recorded_snapshot(event: Event) -> dict[str, Any]:
    gpus: State = state_in(event["gpus"])
    told = {key: event[key] for key in ("mig_config", "mig_config_state", "deploy", "reconfigurations")}
    return told | {"gpus": gpus}


def _reboot_noted(event: Event) -> bool | None:
    """Whether the recorder noted that a reboot had been asked for; None where it noted nothing of that."""
    found = re.search(r"reboot requested: (True|False)", event.get("text", ""))
    return None if found is None else found[1] == "True"


_LEFT_OUT = re.compile(
    r"""level=(info msg="(Generated config '|Current value of)|debug msg="(?! {4}(Updating MIG config|Clearing)))"""
)
_LONGEST_LOG = 160
_TOLD_BY_LOG = {
    "DEFAULT_CONFIG_FILE": r"(?:Using default config: |Default config file )([^\s\"]+)",
    "GPU_CLIENTS_FILE": r"GPU clients file: read error: open (\S+):",
    "HOST_ROOT_MOUNT": r"dial unix (\S+)/run/dbus/system_bus_socket",
}
"""Variables with a path, which the recorder left out, and where the log has it."""
_DEPLOY = {
    *(names.DEPLOY_PREFIX + operand for operand in names.PAUSED_OPERANDS),
    names.DEPLOY_CLIENT,
}
