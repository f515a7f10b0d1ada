"""What a run of mig-parted prints: results on stdout, log lines on stderr in the form of logrus without a time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


class MigPartedError(Exception):
    """The command cannot go on; the text is what mig-parted reports, without its leading capital."""


@dataclass(frozen=True)
class Result:
    """One finished run.

    Attributes:
        rc: Exit code: 0, or 1 for every kind of failure.
        stdout: Lines on stdout.
        stderr: Log lines; all of them come before those on stdout.
    """

    rc: int
    stdout: list[str]
    stderr: list[str]


@dataclass
class Output:
    """Collects what one run prints.

    Attributes:
        debug: Whether lines of level debug are wanted (option `-d`).
    """

    debug: bool = False
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Print a result; a text of several lines counts as so many."""
        self.stdout.extend(text.splitlines())

    def log(self, level: str, text: str) -> None:
        """Add a log line; those of level debug only where they are wanted."""
        if level != "debug" or self.debug:
            self.stderr.append(log_line(level, text))


def log_line(level: str, text: str) -> str:
    """One line as logrus writes it, which quotes the message like Go's `%q`."""
    return f"level={level} msg={json.dumps(text, ensure_ascii=False)}"


def capitalized(text: str) -> str:
    """Return the text with its first letter in upper case and the rest as it is."""
    return text[:1].upper() + text[1:]
