"""mig-manager of the simulator against recordings of the real one: labels in order, GPUs, exit codes, log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from tests.recordings.loader import recorded
from tests.recordings.player import Player
from tests.recordings.scenario import Outcome, expected, hardware_of, plan_of, states, told
from tests.recordings.stand import stand

NAME = "mig-manager-transitions"
_played: dict[str, Outcome] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    recording = recorded(NAME, metafunc.config.getoption("recordings", default=None))
    scenarios = recording.get("scenarios", ())
    metafunc.parametrize("scenario", [pytest.param(scenario, id=scenario["name"]) for scenario in scenarios])


def test_labels_and_gpus_change_as_under_the_real_program(scenario: Mapping[str, Any]) -> None:
    real, seen = expected(scenario), _play(scenario)

    assert seen.changes == real.changes
    assert seen.snapshots == real.snapshots
    assert (seen.exit_codes, seen.reboots) == (real.exit_codes, real.reboots)
    assert states(seen.changes) == scenario["state_sequence"]


def test_log_is_that_of_the_real_program(scenario: Mapping[str, Any]) -> None:
    assert told(_play(scenario).log) == expected(scenario).log


def _play(scenario: Mapping[str, Any]) -> Outcome:
    """Play a scenario once, whichever tests look at it."""
    name = scenario["name"]
    if name not in _played:
        _played[name] = asyncio.run(_on_a_stand(scenario))
    return _played[name]


async def _on_a_stand(scenario: Mapping[str, Any]) -> Outcome:
    async with stand(hardware_of(scenario), plan_of(scenario)) as running:
        return await Player(scenario, running).play()
