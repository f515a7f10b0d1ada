"""What of a report is published in the cluster."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from conformance.operations.publication import Publication
from conformance.report.assemble import gpu_kind
from conformance.report.model import BAD_OUTCOMES, NodeOutcome, Report, Verdict
from conformance.report.terminal import summary
from conformance.report.verdict import JUDGED

GOOD: Final = (Verdict.CERTIFIED, Verdict.PARTIAL)
"""Verdicts that say nothing bad about the cluster."""


def publication(report: Report, file: Path) -> Publication:
    """Return what is published of a report.

    Args:
        report: The report.
        file: report.json, of which the digest is taken.
    """
    first, *others = summary(report, file.parent)
    rows = [first, *(row for row in others if row.label != "report")]  # a path on this machine helps nobody there
    lines = [f"{label}{text}".rstrip() for row in rows for label, text in row.rendered()]
    return Publication(
        verdict=report.verdict.value,
        good=report.verdict in GOOD,
        time=report.started,
        gpus=gpu_kind(report),
        suite=report.suite_version,
        report=f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}",
        headline="; ".join(first.lines),
        summary="\n".join(lines) + "\n",
        nodes={node.name: node_outcome(report, node.name) for node in report.environment.nodes},
    )


def node_outcome(report: Report, node: str) -> str:
    """Return what became of a node: `failed`, `passed`, or why it was not judged, see `NodeOutcome`.

    A node at which no case came to a result is `untested`: the run ended before, or every case there was left out.
    """
    (found,) = (it for it in report.environment.nodes if it.name == node)
    outcomes = {case.outcome for case in report.cases if case.node == node}
    if not outcomes.isdisjoint(BAD_OUTCOMES):
        return "failed"
    if found.outcome is not NodeOutcome.JUDGED:
        return found.outcome.value
    return "untested" if outcomes.isdisjoint(JUDGED) else "passed"
