"""The line that says what a run waits for, on which node, and for how long."""

from __future__ import annotations

import threading
import time
from typing import Final

import pytest

_FIRST_LINE_AFTER: Final = 2.0
"""Seconds of wall time: shorter waits are not worth a line."""
_NEXT_LINE_AFTER: Final = 15.0
"""Seconds between two lines where the output is no terminal and a line cannot be overwritten."""


class Progress:
    """Receives what the cluster layer waits for and shows it, sparingly.

    On a terminal one line is rewritten in place; elsewhere (CI logs) a new line is written now and then.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._last = 0.0

    def __call__(self, what: str, node: str | None, seconds: float) -> None:
        """Say that `what` has been waited for on `node` (None: on the whole cluster) for `seconds` of wall time."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or seconds < _FIRST_LINE_AFTER:
            return
        terminal = bool(getattr(reporter, "isatty", False))
        with self._lock:
            now = time.monotonic()
            if not terminal and now - self._last < _NEXT_LINE_AFTER:
                return
            self._last = now
            self._write(reporter, f"waiting {seconds:.0f} s on {node or 'the cluster'} for {what}", rewrite=terminal)

    def _write(self, reporter: pytest.TerminalReporter, line: str, *, rewrite: bool) -> None:
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        if capture is None:
            _emit(reporter, line, rewrite=rewrite)
            return
        with capture.global_and_fixture_disabled():
            _emit(reporter, line, rewrite=rewrite)


def _emit(reporter: pytest.TerminalReporter, line: str, *, rewrite: bool) -> None:
    if rewrite:
        reporter.rewrite(line, erase=True)
    else:
        reporter.write_line(line)
    reporter.flush()
