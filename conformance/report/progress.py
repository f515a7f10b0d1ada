"""The progress line: the current state, and what the run waits for, on which node and for how long."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

_FIRST_LINE_AFTER: Final = 2.0
"""Seconds of wall time: shorter waits are not worth a line."""
_NEXT_LINE_AFTER: Final = 15.0
"""Seconds of wall time between two lines where the output is no terminal and a line cannot be overwritten."""
_SAME_WAIT_WITHIN: Final = 5.0
"""Seconds of wall time: a wait tells of itself once a second, so after such a pause it is another one."""

_MINUTE: Final = 90.0
"""Seconds from which on minutes say more."""

_MAKE_ROOM: Final = "\x1bD\x1b[A"
"""One row down and up again: at the bottom of the screen this scrolls, and the cursor keeps its column."""
_ROW_BELOW: Final = "\x1b7\x1b[B\r\x1b[2K{text}\x1b8"
"""The row under the cursor becomes the text, the cursor stays: pytest's own dots are left alone. ECMA-48 and VT100."""


class Progress:
    """Receives what the cluster layer waits for and shows it, sparingly.

    On a terminal one line stands under pytest's own output while a wait goes on; elsewhere (CI logs) a line is written
    now and then. Registers itself as a plug-in to clear the line after each phase of a case.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._wait: tuple[str, str | None] = ("", None)
        self._cluster_seconds = 0.0
        self._began = self._told = time.monotonic()
        self._quiet_until = 0.0
        self._shown = False
        self._state = ""
        self._first = time.monotonic()
        config.pluginmanager.register(self, "conformance-progress")

    def state(self, number: int, of: int, text: str) -> None:
        """Show the progress of the run; called when a state is begun and about once a second while nodes are at work.

        Args:
            number: The state that is being visited, from 1.
            of: How many states there are.
            text: The state, and what is going on there.
        """
        left = _left(time.monotonic() - self._first, number - 1, of)
        self._state = f"state {number} of {of}{left}: {text}"
        self.wait(*self._wait, self._cluster_seconds)

    def wait(self, what: str, node: str | None, seconds: float) -> None:
        """Show a wait. Calls from other threads than the main one are recorded but print nothing.

        Args:
            what: What is waited for.
            node: Where; None for the whole cluster.
            seconds: How long by the cluster's clock, which may run faster than a person's.
        """
        waited = self._waited(what, node, seconds)
        if waited < _FIRST_LINE_AFTER or threading.current_thread() is not threading.main_thread():
            return
        line = f"waiting {waited:.0f} s on {node or 'the cluster'} for {what}"
        line = f"{self._state}; {line}" if self._state else line
        with self._past_capture():
            if sys.stderr.isatty():
                self._draw(line)
            elif time.monotonic() >= self._quiet_until:
                self._quiet_until = time.monotonic() + _NEXT_LINE_AFTER
                self._write(line)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self) -> None:
        """Clear the line before pytest writes the outcome of a phase."""
        self._clear()

    def pytest_sessionfinish(self) -> None:
        """Clear the line after the cluster was put back."""
        self._clear()

    def _waited(self, what: str, node: str | None, seconds: float) -> float:
        """Seconds of wall time since this wait began."""
        now = time.monotonic()
        goes_on = seconds >= self._cluster_seconds and now - self._told < _SAME_WAIT_WITHIN
        if (what, node) != self._wait or not goes_on:
            self._wait, self._began = (what, node), now
        self._cluster_seconds, self._told = seconds, now
        return now - self._began

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
