"""GPU Feature Discovery of the simulator against recordings of the real one: the whole label set, exit code and log."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.settings import read_settings
from conformance.sim.faults import Faults
from conformance.sim.feature_discovery.labels import LabelError
from conformance.sim.feature_discovery.node_labels import labels
from conformance.sim.hardware import NodeHardware
from conformance.sim.nvml import Nvml
from tests.recordings.loader import hardware_from, recorded
from tests.recordings.replay import LogLines, Replay, prepare, replays

NAME = "feature-labels"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    runs = replays(recorded(NAME, metafunc.config.getoption("recordings", default=None)))
    metafunc.parametrize("replay", [pytest.param(run, id=run.id) for run in runs])


def test_labels_are_those_of_the_real_program(replay: Replay) -> None:
    hardware = hardware_from(replay.gpus)
    prepare(hardware, replay.case)
    log = LogLines()

    outcomes = [_run(hardware, replay, log, last) for last in sorted({gpu.board.name for gpu in hardware.gpus})]

    assert (replay.run["rc"], replay.run["labels"]) in outcomes
    assert set(map(_unordered, log.notable)) == set(map(_unordered, replay.run.get("log", ())))


def _run(hardware: NodeHardware, replay: Replay, log: LogLines, last: str) -> tuple[int, dict[str, str] | None]:
    """Run once; `last` is the model whose labels win where a node has two, which the real program leaves to chance."""
    klog = Klog(log.append, lambda: datetime.now(UTC))
    try:
        settings = read_settings(replay.command, replay.env, replay.files, klog, env_prefixes=("GFD_", ""))
        found = labels(
            Nvml(hardware), settings, machine="MOCK-HGX", timestamp=None, faults=Faults(), log=klog, last=last
        )
    except LabelError as error:
        klog.failure("main.go:127", str(error))
        return 1, None
    return 0, found


def _unordered(line: str) -> str:
    """Sort the words of a list in brackets: the real program prints them in the order of a Go map."""
    return re.sub(r"\[(.*)\]", lambda found: str(sorted(found[1].split())), line)
