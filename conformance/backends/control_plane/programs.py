"""Background programs that never outlive the process that started them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final, cast

from conformance.backends.control_plane import keeper

_LAST_LINES: Final = 5


class Programs:
    """Background programs in a temporary directory, run by a keeper process (see `keeper`).

    They are not part of this process's group: Ctrl-C does not end them, so that what is under way can be undone.

    Attributes:
        directory: Their working directory, readable by this user only; gone after `close`.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="mig-control-plane-"))
        command = [sys.executable, "-I", "-S", keeper.__file__, str(self.directory)]
        self._keeper = subprocess.Popen(  # noqa: S603 - a file of this package
            command, stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        self._orders = cast("IO[str]", self._keeper.stdin)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a program under a name of its own; whether it runs is seen by `broken`."""
        self._orders.write(json.dumps([name, *command]) + "\n")
        self._orders.flush()

    def broken(self) -> str:
        """Describe a program that has ended: how, its last log lines, and where all logs are; empty if all run."""
        for note in sorted(self.directory.glob("*.ended")):
            return self.explain(f"{note.stem} {note.read_text(encoding='utf-8')}", note.stem)
        return ""

    def explain(self, what: str, name: str) -> str:
        """Append the last log lines of a program to a message, and the folder to which all logs were copied."""
        logs = {log.stem: log for log in self.directory.glob("*.log")}
        text = logs[name].read_text(encoding="utf-8", errors="replace") if name in logs else ""
        words = "".join(f"  {line}\n" for line in text.splitlines()[-_LAST_LINES:])
        kept = tempfile.mkdtemp(prefix="mig-control-plane-logs-")
        for log in logs.values():
            shutil.copy(log, kept)
        return f"{what}; last words of {name}:\n{words}all logs: {kept}"

    def close(self) -> None:
        """Kill all programs and remove their directory; does nothing the second time."""
        self._keeper.communicate()
