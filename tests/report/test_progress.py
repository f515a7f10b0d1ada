"""The line about a wait: when it shows, where, and that it goes away."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from conformance.report import progress
from conformance.report.progress import Progress

pytest_plugins = ["pytester"]


class Screen:
    """As much of a terminal as the progress line uses: rows, a cursor, and a saved cursor."""

    def __init__(self) -> None:
        self.rows = ["", ""]
        self.cursor = (0, 0)
        self.saved = (0, 0)

    def feed(self, text: str) -> None:
        for token in re.findall(r"\x1b\[2K|\x1b\[[AB]|\x1b[D78]|\r|\n|[^\x1b\r\n]+", text):
            self._act(token)

    def _act(self, token: str) -> None:
        row, column = self.cursor
        moves = {"\x1b[A": (row - 1, column), "\x1b[B": (row + 1, column), "\x1bD": (row + 1, column), "\r": (row, 0)}
        if token in moves:
            self.cursor = moves[token]
        elif token == "\x1b7":
            self.saved = self.cursor
        elif token == "\x1b8":
            self.cursor = self.saved
        elif token == "\x1b[2K":
            self.rows[row] = ""
        else:
            self.rows[row] = self.rows[row][:column].ljust(column) + token + self.rows[row][column + len(token) :]
            self.cursor = (row, column + len(token))


class Terminal(io.StringIO):
    """Where the line is written; `tty` says whether it is a terminal."""

    def __init__(self, *, tty: bool) -> None:
        super().__init__()
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


class Reporter:
    """Stands for pytest's terminal reporter."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write_line(self, line: str) -> None:
        self.lines.append(line)

    def flush(self) -> None:
        pass


class Time:
    """Wall time that goes on only when told to."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(progress, "time", made)
    return made


@pytest.fixture
def reporter() -> Reporter:
    return Reporter()


def progress_of(reporter: Reporter, *, verbose: int = 0) -> Progress:
    """Progress of a pytest that captures nothing."""
    config = pytest.Config(pytest.PytestPluginManager())
    config.option.verbose = verbose
    config.pluginmanager.register(reporter, "terminalreporter")
    return Progress(config)


@pytest.fixture
def shown(reporter: Reporter, time: Time) -> Progress:
    del time
    return progress_of(reporter)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return stderr(monkeypatch, tty=False)


@pytest.fixture
def tty(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return stderr(monkeypatch, tty=True)


def stderr(monkeypatch: pytest.MonkeyPatch, *, tty: bool) -> Terminal:
    """Standard error for the module alone: pytest sets the real one anew for every phase of a test."""
    made = Terminal(tty=tty)
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=made))
    return made


def wait(shown: Progress, time: Time, seconds: int, what: str = "state success", speed: float = 1.0) -> None:
    """A wait of so many seconds of wall time, told of once a second."""
    for passed in range(seconds + 1):
        shown.wait(what, "sim-0", passed * speed)
        time.now += 1 if passed < seconds else 0.01


def state(shown: Progress, time: Time, number: int, text: str, seconds: int = 1) -> None:
    """A state of four in which nodes are at work for so many seconds of wall time."""
    for passed in range(seconds):
        shown.state(number, 4, text if not passed else f"{text}: {passed} of 9 nodes done")
        time.now += 1


@pytest.mark.usefixtures("log")
def test_a_log_gets_one_line_for_each_state(shown: Progress, time: Time, reporter: Reporter) -> None:
    state(shown, time, 1, "single-all-disabled", 30)
    wait(shown, time, 50)
    state(shown, time, 2, "single-all-1g.10gb", 40)

    assert reporter.lines == [
        "state 1 of 4: single-all-disabled",
        "state 2 of 4, about 4 min left: single-all-1g.10gb",
    ]


@pytest.mark.usefixtures("log")
def test_what_is_done_beside_the_states_has_its_line_too(shown: Progress, time: Time, reporter: Reporter) -> None:
    state(shown, time, 4, "mixed-all-balanced")
    state(shown, time, 4, "kubelet's grace period for removed resources", 9)

    assert [line.partition(": ")[2] for line in reporter.lines] == [
        "mixed-all-balanced",
        "kubelet's grace period for removed resources",
    ]


@pytest.mark.usefixtures("log")
def test_a_wait_of_minutes_has_a_line_after_every_two(shown: Progress, time: Time, reporter: Reporter) -> None:
    """Seconds are those of a person, not of the cluster."""
    wait(shown, time, 300, speed=60)

    assert reporter.lines == [f"waiting {seconds} s on sim-0 for state success" for seconds in (120, 240)]


@pytest.mark.usefixtures("log")
def test_of_nodes_that_wait_side_by_side_the_longest_wait_is_told(
    shown: Progress, time: Time, reporter: Reporter
) -> None:
    for passed in range(125):
        shown.wait("state success", "sim-0", passed)
        if passed >= 10:
            shown.wait("pods to be gone", "sim-1", passed)
        time.now += 1

    assert reporter.lines == ["waiting 120 s on sim-0 for state success"]


@pytest.mark.usefixtures("log")
def test_another_wait_begins_at_nought(shown: Progress, time: Time, reporter: Reporter) -> None:
    wait(shown, time, 110)
    time.now += 30
    wait(shown, time, 110)
    wait(shown, time, 110, what="pods to be gone")

    assert reporter.lines == []


@pytest.mark.usefixtures("log")
def test_the_whole_cluster_may_be_waited_for(shown: Progress, time: Time, reporter: Reporter) -> None:
    for passed in range(121):
        shown.wait("ClusterPolicy ready", None, passed)
        time.now += 1
    shown.wait("ClusterPolicy ready", None, 121)

    assert reporter.lines == ["waiting 120 s on the cluster for ClusterPolicy ready"]


@pytest.mark.parametrize(
    ("number", "passed", "left"),
    [
        (1, 30, ""),
        (2, 30, ", about 90 s left"),
        (2, 31, ", about 2 min left"),
        (4, 30, ", about 10 s left"),
        (2, 1200, ", about 60 min left"),
    ],
)
@pytest.mark.usefixtures("log")
def test_later_states_say_how_long_it_takes_if_the_others_take_as_long(
    number: int, passed: int, left: str, shown: Progress, time: Time, reporter: Reporter
) -> None:
    """Of four states, counted from those that are done."""
    time.now += passed
    shown.state(number, 4, "single-all-disabled")

    assert reporter.lines == [f"state {number} of 4{left}: single-all-disabled"]


@pytest.mark.usefixtures("log")
def test_waits_of_other_threads_are_told_by_the_main_one(shown: Progress, time: Time, reporter: Reporter) -> None:
    """Waits go on in threads of their own; only the main one, which counts the nodes that are done, writes."""
    shown.state(1, 8, "single-all-disabled")
    for done in range(122):
        thread = threading.Thread(target=shown.wait, args=("state success", "sim-0", float(done)))
        thread.start()
        thread.join()
        time.now += 1
    assert len(reporter.lines) == 1
    shown.state(1, 8, "single-all-disabled: 3 of 4 nodes done")

    assert reporter.lines[1:] == [
        "state 1 of 8: single-all-disabled: 3 of 4 nodes done; waiting 122 s on sim-0 for state success"
    ]


@pytest.mark.usefixtures("time")
def test_quiet_is_quiet(reporter: Reporter, tty: Terminal, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = progress_of(reporter, verbose=-1)
    state(quiet, time, 1, "single-all-disabled", 5)
    wait(quiet, time, 300)
    assert tty.getvalue() == ""

    stderr(monkeypatch, tty=False)
    state(quiet, time, 2, "single-all-1g.10gb", 5)
    wait(quiet, time, 300)
    assert reporter.lines == []


def test_on_a_terminal_the_state_is_kept_up_to_date(
    shown: Progress, time: Time, tty: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    screen = Screen()
    state(shown, time, 1, "single-all-disabled", 3)
    screen.feed(tty.getvalue())
    assert screen.rows == ["", "state 1 of 4: single-all-disabled: 2 of 9 nodes done"]

    wait(shown, time, 7)
    screen.feed(tty.getvalue())
    assert screen.rows[1].endswith("2 of 9 nodes done; waiting 7 s on sim-0 for state success")

    state(shown, time, 2, "single-all-1g.10gb")
    screen.feed(tty.getvalue())
    assert screen.rows[1].endswith(": single-all-1g.10gb")


def test_a_terminal_without_a_cursor_is_a_log(
    shown: Progress, time: Time, tty: Terminal, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    state(shown, time, 1, "single-all-disabled", 5)

    assert (tty.getvalue(), reporter.lines) == ("", ["state 1 of 4: single-all-disabled"])


@pytest.mark.usefixtures("log")
def test_short_waits_are_not_told_on_a_terminal(shown: Progress, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = stderr(monkeypatch, tty=True)
    for _ in range(5):
        wait(shown, time, 1)

    assert terminal.getvalue() == ""


def test_on_a_terminal_the_line_stands_below_and_goes_away(
    shown: Progress, time: Time, tty: Terminal, reporter: Reporter
) -> None:
    screen = Screen()
    screen.feed("test_state.py ...")
    before = screen.cursor

    wait(shown, time, 7)
    screen.feed(tty.getvalue())
    assert screen.rows == ["test_state.py ...", "waiting 7 s on sim-0 for state success"]
    assert screen.cursor == before

    tty.truncate(0)
    shown.pytest_runtest_logreport()
    screen.feed(tty.getvalue().lstrip("\0"))
    assert screen.rows == ["test_state.py ...", ""]
    assert screen.cursor == before
    assert reporter.lines == []


def test_a_line_is_no_wider_than_the_terminal(
    shown: Progress, time: Time, tty: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")

    wait(shown, time, 2)

    assert "waiting 2 s on sim-0 for stat\x1b8" in tty.getvalue()


def test_nothing_is_cleared_where_nothing_was_shown(shown: Progress, tty: Terminal) -> None:
    shown.pytest_runtest_logreport()
    shown.pytest_sessionfinish()

    assert tty.getvalue() == ""


INNER = """
from conformance.report import progress

def test_it(pytestconfig, monkeypatch):
    monkeypatch.setattr(progress, "_LONG_WAIT", 0.0)
    monkeypatch.setattr(progress, "_FIRST_SHOWN_AFTER", 0.0)
    shown = progress.Progress(pytestconfig)
    shown.state(1, 4, "single-all-disabled")
    shown.wait("state success", "sim-0", 0.0)

def test_another(): pass
"""


def test_the_line_gets_past_the_capture_of_pytest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_inner=INNER)

    result = pytester.runpytest_subprocess("-p", "no:randomly")

    result.stdout.fnmatch_lines(["state 1 of 4: single-all-disabled", "*; waiting 0 s on sim-0 for state success"])
    assert result.ret == pytest.ExitCode.OK


def test_a_terminal_shows_the_output_of_pytest_as_without_the_line(pytester: pytest.Pytester) -> None:
    """`script` gives a program a terminal; dots and summary of pytest are all that is left on the screen."""
    if shutil.which("script") is None:
        pytest.skip("there is no program script")
    pytester.makepyfile(test_inner=INNER)
    command = f"{sys.executable} -m pytest -p no:randomly -p no:cacheprovider --color=no test_inner.py"
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    typed = ["script", "-qec", command, os.devnull]
    ended = subprocess.run(typed, capture_output=True, check=True, env=environment, cwd=pytester.path)

    output = ended.stdout.decode()
    assert "waiting 0 s on sim-0 for state success" in output
    screen = Screen()
    (dots,) = (line for line in output.split("\r\n") if line.startswith("test_inner.py"))
    screen.feed(dots)
    assert screen.rows[0].split() == ["test_inner.py", "..", "[100%]"]
    assert screen.rows[1] == ""
