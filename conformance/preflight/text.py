"""Findings as lines for a terminal, and as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from conformance.preflight.finding import PreflightFinding
from conformance.preflight.requirements import ALL

NOTHING: Final = "nothing found"
_NAMED: Final = 4


def lines(findings: Iterable[PreflightFinding]) -> Iterator[str]:
    """Yield the lines of each finding: what it is, what it rules out, and how to fix it."""
    for finding in findings:
        yield f"{finding.severity}  {finding.id}: {named(finding.objects)}: {finding.found}"
        if finding.rules_out:
            yield f"        rules out {requirements(finding.rules_out)}"
        yield f"        fix: {finding.fix}"


def short(finding: PreflightFinding) -> str:
    """Return a finding in one line."""
    return f"{named(finding.objects)}: {finding.found}; {finding.fix}"


def data(findings: Iterable[PreflightFinding]) -> list[dict[str, Any]]:
    """Return findings as JSON data."""
    return [asdict(finding) for finding in findings]


def named(objects: Sequence[str]) -> str:
    """Name objects: `node a`, `nodes a, b and 98 more`."""
    kind, _, _ = objects[0].rpartition(" ")
    if len(objects) == 1 or not kind or not all(one.startswith(f"{kind} ") for one in objects):
        return ", ".join(objects)
    names = [one.removeprefix(f"{kind} ") for one in objects]
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{kind}s {', '.join(names[:_NAMED])}{rest}"


def requirements(ids: Sequence[str]) -> str:
    """Name requirements: their ids, or that they are all."""
    return "every requirement" if len(ids) == len(ALL) else ", ".join(ids)
