"""The progress line: the current state, and what the run waits for, on which node and for how long."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import pytest

_FIRST_SHOWN_AFTER: Final = 2.0
"""Seconds of wall time: shorter waits are not worth showing."""
_LONG_WAIT: Final = 120.0
"""Seconds of wall time after which a wait gets a line in a log, and again after as many."""
_SAME_WAIT_WITHIN: Final = 5.0
"""Seconds of wall time: a wait tells of itself once a second, so after such a pause it is another one."""
_SHOWN_WITHIN: Final = 2.5
"""Seconds of wall time: a wait that has not told of itself for so long is probably over."""

_MINUTE: Final = 90.0
"""Seconds from which on minutes say more."""

_MAKE_ROOM: Final = "\x1bD\x1b[A"
"""One row down and up again: at the bottom of the screen this scrolls, and the cursor keeps its column."""
_ROW_BELOW: Final = "\x1b7\x1b[B\r\x1b[2K{text}\x1b8"
"""The row under the cursor becomes the text, the cursor stays: pytest's own dots are left alone. ECMA-48 and VT100."""


@dataclass
class _Wait:
    """A wait that is going on.

    Attributes:
        what: What is waited for.
        node: Where; None for the whole cluster.
        began: When it began, in seconds of wall time.
        next_line_after: Seconds of wall time after which it gets a line in a log.
        told: When it told of itself last.
        cluster_seconds: How long it had lasted then, by the cluster's clock.
    """

    what: str
    node: str | None
    began: float
    next_line_after: float
    told: float = 0.0
    cluster_seconds: float = 0.0

    def goes_on(self, now: float) -> bool:
        """Whether it told of itself lately."""
        return now - self.told < _SAME_WAIT_WITHIN


class Progress:
    """Receives what the run does and waits for, and shows it, sparingly.

    On a terminal one line stands under pytest's own output. Elsewhere, as in the log of a CI job, each state gets one
    line when it begins, and so does a wait that takes minutes. With `-q` nothing is shown. Registers itself as a
    plug-in to clear the line after each phase of a case.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._quiet = config.option.verbose < 0
        self._waits: dict[tuple[str, str | None], _Wait] = {}
        self._waiting = threading.Lock()
        self._first = time.monotonic()
        self._shown = False
        self._state = ""
        self._begun_state: tuple[int, str] | None = None
        config.pluginmanager.register(self, "conformance-progress")

    def state(self, number: int, of: int, text: str) -> None:
        """Show the progress of the run; called when a state is begun and about once a second while nodes are at work.

        Args:
            number: The state that is being visited, from 1.
            of: How many states there are.
            text: The state, and after a colon what is going on there.
        """
        left = _left(time.monotonic() - self._first, number - 1, of)
        self._state = f"state {number} of {of}{left}: {text}"
        begun = (number, text.partition(":")[0])
        if is_new := begun != self._begun_state:
            self._begun_state = begun
            with self._waiting:
                self._waits.clear()
        self._show(log=is_new)

    def wait(self, what: str, node: str | None, seconds: float) -> None:
        """Show a wait.

        Args:
            what: What is waited for.
            node: Where; None for the whole cluster.
            seconds: How long by the cluster's clock, which may run faster than a person's.
        """
        now = time.monotonic()
        with self._waiting:
            known = self._waits.get((what, node))
            if known is None or not known.goes_on(now) or seconds < known.cluster_seconds:
                known = self._waits[what, node] = _Wait(what, node, now, _LONG_WAIT)
            known.told, known.cluster_seconds = now, seconds
        if now - known.began >= _FIRST_SHOWN_AFTER:
            self._show(log=False)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self) -> None:
        """Clear the line before pytest writes the outcome of a phase."""
        self._clear()

    def pytest_sessionfinish(self) -> None:
        """Clear the line after the cluster was put back."""
        self._clear()

    def _show(self, *, log: bool) -> None:
        """Show where the run is. Threads other than the main one show nothing: the main one tells for them.

        Args:
            log: Whether that is worth a line in a log; a long wait is in any case.
        """
        if self._quiet or threading.current_thread() is not threading.main_thread():
            return
        now = time.monotonic()
        wait = self._longest(now)
        if is_long := wait is not None and now - wait.began >= wait.next_line_after:
            wait.next_line_after += _LONG_WAIT
        line = self._line(wait, now)
        with self._past_capture():
            if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
                self._draw(line)
            elif log or is_long:
                self._write(line)

    def _longest(self, now: float) -> _Wait | None:
        """Return the wait that has lasted longest; nodes that work side by side wait at the same time."""
        with self._waiting:
            self._waits = {key: wait for key, wait in self._waits.items() if wait.goes_on(now)}
            lately = [wait for wait in self._waits.values() if now - wait.told < _SHOWN_WITHIN]
            return min(lately, key=lambda wait: wait.began, default=None)

    def _line(self, wait: _Wait | None, now: float) -> str:
        waited = now - wait.began if wait else 0.0
        if wait is None or waited < _FIRST_SHOWN_AFTER:
            return self._state
        waiting = f"waiting {waited:.0f} s on {wait.node or 'the cluster'} for {wait.what}"
        return "; ".join(filter(None, (self._state, waiting)))

    def _draw(self, line: str) -> None:
        room = shutil.get_terminal_size().columns - 1
        sys.stderr.write(_MAKE_ROOM + _ROW_BELOW.format(text=line[:room]))
        sys.stderr.flush()
        self._shown = True

    def _clear(self) -> None:
        if self._shown:
            self._shown = False
            with self._past_capture():
                sys.stderr.write(_ROW_BELOW.format(text=""))
                sys.stderr.flush()

    def _write(self, line: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(line)
            reporter.flush()

    @contextmanager
    def _past_capture(self) -> Iterator[None]:
        """Reach the real output, where pytest captures what a case writes."""
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        if capture is None:
            yield
            return
        with capture.global_and_fixture_disabled():
            yield


def _left(seconds: float, done: int, of: int) -> str:
    """Estimate from the states so far how long the others take; empty before the first is done."""
    if done < 1:
        return ""
    left = seconds / done * (of - done)
    return f", about {left / 60:.0f} min left" if left > _MINUTE else f", about {left:.0f} s left"
