"""Output of mig-parted: results on stdout, log lines on stderr in the format of logrus without a time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


class MigPartedError(Exception):
    """The command failed; the text is the message of mig-parted, without its leading capital."""


@dataclass(frozen=True)
class Result:
    """Result of a run.

    Attributes:
        rc: Exit code: 0, or 1 for every kind of failure.
        stdout: Lines on stdout.
        stderr: Log lines, which precede those on stdout.
    """

    rc: int
    stdout: list[str]
    stderr: list[str]


@dataclass
class Output:
    """Collects the output of one run.

    Attributes:
        debug: Whether to keep lines of level debug (option `-d`).
        stdout: Lines on stdout.
        stderr: Log lines.
    """

    debug: bool = False
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Print a result, which may have several lines."""
        self.stdout.extend(text.splitlines())

    def log(self, level: str, text: str) -> None:
        """Add a log line; lines of level debug are dropped unless `debug` is set."""
        if level != "debug" or self.debug:
            self.stderr.append(log_line(level, text))


def log_line(level: str, text: str) -> str:
    """Return a line in the format of logrus, which quotes the message like Go's `%q`."""
    return f"level={level} msg={json.dumps(text, ensure_ascii=False)}"


def capitalized(text: str) -> str:
    """Return the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]
