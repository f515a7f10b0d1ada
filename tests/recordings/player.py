"""Does a recorded scenario of mig-manager again on a stand."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from conformance.spec import names
from tests.recordings.loader import state_of
from tests.recordings.mock import make_by_hand, mock
from tests.recordings.scenario import Event, Outcome, find_in_log, path_of, pods_of, reboot_noted, told
from tests.recordings.stand import Stand

BROKEN = "version: v1\nmig-configs: [unclosed\n"
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


class Player:
    """Does a scenario again, step by step: each when everything recorded before it has come, and after as long."""

    def __init__(self, scenario: Mapping[str, Any], stand: Stand) -> None:
        self._scenario = scenario
        self._stand = stand
        self._outcome = Outcome()
        self._changes = 0
        self._path = path_of(scenario)
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
        pods = pods_of([event for event in self._scenario["events"] if event["t"] <= until])
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
            if found := find_in_log(self._scenario, pattern):
                env[variable] = found
        return env

    async def _note(self, event: Event) -> None:
        text = event["text"]
        if reboot_noted(event) is not None:
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


def _text(content: object) -> str | None:
    return content if content is None or isinstance(content, str) else json.dumps(content)


def _with_count(text: str, name: str, count: int) -> str:
    content = json.loads(text)
    for entry in content["mig-configs"][name]:
        entry["mig-devices"] = dict.fromkeys(entry["mig-devices"], count)
    return json.dumps(content)
