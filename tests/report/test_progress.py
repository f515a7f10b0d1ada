"""The line about a wait: when it shows, where, and that it goes away."""

from __future__ import annotations

import io
import re
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


@pytest.fixture
def shown(reporter: Reporter, time: Time) -> Progress:
    """Progress of a pytest that captures nothing."""
    del time
    config = pytest.Config(pytest.PytestPluginManager())
    config.pluginmanager.register(reporter, "terminalreporter")
    return Progress(config)


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


@pytest.mark.usefixtures("log")
def test_short_waits_are_not_told(shown: Progress, time: Time, reporter: Reporter) -> None:
    for _ in range(5):
        wait(shown, time, 1)

    assert reporter.lines == []


@pytest.mark.usefixtures("log")
def test_seconds_are_those_of_a_person_not_of_the_cluster(shown: Progress, time: Time, reporter: Reporter) -> None:
    wait(shown, time, 2, speed=60)

    assert reporter.lines == ["waiting 2 s on sim-0 for state success"]


@pytest.mark.usefixtures("log")
def test_a_log_gets_a_line_now_and_then(shown: Progress, time: Time, reporter: Reporter) -> None:
    wait(shown, time, 40)

    assert reporter.lines == [f"waiting {seconds} s on sim-0 for state success" for seconds in (2, 17, 32)]


@pytest.mark.usefixtures("log")
def test_another_wait_begins_at_nought(shown: Progress, time: Time, reporter: Reporter) -> None:
    wait(shown, time, 10)
    time.now += 30
    wait(shown, time, 3)
    time.now += 30
    wait(shown, time, 3, what="pods to be gone")

    assert [line.split()[1] for line in reporter.lines] == ["2", "2", "2"]


@pytest.mark.usefixtures("log")
def test_the_whole_cluster_may_be_waited_for(shown: Progress, time: Time, reporter: Reporter) -> None:
    shown.wait("ClusterPolicy ready", None, 0)
    time.now += 4
    shown.wait("ClusterPolicy ready", None, 4)

    assert reporter.lines == ["waiting 4 s on the cluster for ClusterPolicy ready"]


@pytest.mark.usefixtures("log")
def test_the_first_state_says_nothing_of_the_time_that_is_left(shown: Progress, time: Time, reporter: Reporter) -> None:
    shown.state(1, 8, "single-all-disabled")
    wait(shown, time, 2)

    assert reporter.lines == ["state 1 of 8: single-all-disabled; waiting 2 s on sim-0 for state success"]


@pytest.mark.parametrize(
    ("number", "passed", "left"),
    [
        (2, 30, "about 90 s left"),
        (2, 31, "about 2 min left"),
        (4, 30, "about 10 s left"),
        (2, 1200, "about 60 min left"),
    ],
)
@pytest.mark.usefixtures("log")
def test_later_states_say_how_long_it_takes_if_the_others_take_as_long(
    number: int, passed: int, left: str, shown: Progress, time: Time, reporter: Reporter
) -> None:
    """Of four states, counted from those that are done."""
    time.now += passed
    shown.state(number, 4, "single-all-disabled")
    wait(shown, time, 2)

    assert reporter.lines == [
        f"state {number} of 4, {left}: single-all-disabled; waiting 2 s on sim-0 for state success"
    ]


@pytest.mark.usefixtures("log")
def test_nodes_that_are_done_are_counted_although_their_threads_must_not_write(
    shown: Progress, time: Time, reporter: Reporter
) -> None:
    """Waits go on in threads of their own; only the main one, which counts them, writes."""
    shown.state(1, 8, "single-all-disabled")
    for done in range(4):
        thread = threading.Thread(target=shown.wait, args=("state success", "sim-0", float(done)))
        thread.start()
        thread.join()
        assert reporter.lines == []
        time.now += 1
    shown.state(1, 8, "single-all-disabled: 3 of 4 nodes done")

    assert reporter.lines == [
        "state 1 of 8: single-all-disabled: 3 of 4 nodes done; waiting 4 s on sim-0 for state success"
    ]


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


def test_the_line_gets_past_the_capture_of_pytest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_inner="""
        from conformance.report import progress

        def test_it(pytestconfig, monkeypatch):
            monkeypatch.setattr(progress, "_FIRST_LINE_AFTER", 0.0)
            progress.Progress(pytestconfig).wait("state success", "sim-0", 0.0)
        """
    )

    result = pytester.runpytest_subprocess("-p", "no:randomly")

    result.stdout.fnmatch_lines(["waiting 0 s on sim-0 for state success"])
    assert result.ret == pytest.ExitCode.OK
