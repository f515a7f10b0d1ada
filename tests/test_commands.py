"""The commands of `mig-conformance`: one table, which the help shows, and one way to refuse a wrong command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["preflight", "--nonsense"],
            "ERROR: unrecognized arguments: --nonsense; see `mig-conformance preflight --help`",
        ),
        (["preflight", "--output"], "ERROR: argument --output: expected one argument"),
        (["restore"], "ERROR: the following arguments are required: action; see `mig-conformance restore --help`"),
        (["restore", "nothing"], "ERROR: argument action: invalid choice: 'nothing'"),
        (["report"], "ERROR: the following arguments are required: COMMAND; see `mig-conformance report --help`"),
        (["report", "merge", "out"], "see `mig-conformance report merge --help`"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    printed = capsys.readouterr()

    assert ended.value.code == 4
    assert said in printed.err
    assert (printed.err.count("\n"), printed.out) == (1, "")


def test_a_command_that_does_not_exist_is_refused_with_those_that_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prefligth"]) == 4

    assert capsys.readouterr().err == f"ERROR: there is no command prefligth; there are {', '.join(COMMANDS)}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])

    assert ended.value.code == 0
    assert f"usage: mig-conformance {name}" in capsys.readouterr().out


def test_the_help_lists_commands_and_options() -> None:
    command = [sys.executable, "-m", "conformance", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    assert [name for name in COMMANDS if f"\n  {name}" not in said] == []
    assert "--allow-disruptive" in said
    assert said.startswith("usage: mig-conformance")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    report = ROOT / "reports" / "sample" / "certified" / "report.json"
    command = f'"{sys.executable}" -m conformance report validate "{report}" | true'
    ended = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")
