"""The configuration that mig-parted generates from the hardware, against recordings of the real one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.sim import mig_parted
from conformance.sim.hardware import NodeHardware
from conformance.sim.nvml import Nvml
from tests.recordings.loader import DATA, board_of, recorded


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    directory = metafunc.config.getoption("recordings", default=None) or DATA
    if "file" in metafunc.fixturenames:
        files = sorted((directory / "generated-configs").glob("*.yaml"))
        metafunc.parametrize("file", [pytest.param(file, id=file.stem) for file in files])
    else:
        cases = recorded("mig-parted", directory).get("cases", {})
        runs = {key: case for key, case in cases.items() if "generate_config_log" in case}
        metafunc.parametrize(("key", "case"), [pytest.param(key, case, id=key) for key, case in runs.items()])


def test_file_is_that_of_the_real_program(file: Path) -> None:
    content = mig_parted.generate(_node(file.stem), mig_parted.Output())

    assert content == yaml.safe_load(file.read_text())


def test_run_ends_and_logs_like_the_real_program(key: str, case: Mapping[str, Any]) -> None:
    """The real one logs in the order of a Go map."""
    result = mig_parted.run(["generate-config"], _node(key.partition(":")[2] or key), lambda _: (0, ""), lambda _: None)

    assert result.rc == case["generate_config_rc"]
    assert sorted(result.stderr) == sorted(case["generate_config_log"])


def _node(kinds: str) -> Nvml:
    """GPUs by the name of a recording: two of one kind, or one each of the kinds that `+` joins."""
    boards = [board_of(kind) for kind in kinds.split("+")]
    return Nvml(NodeHardware(boards if len(boards) > 1 else boards * 2))
