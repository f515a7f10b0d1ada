"""The summary that a person reads at the end of a run, at a glance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from conformance.report.directory import REPORT_FILE
from conformance.report.model import Report, RequirementOutcome, Verdict

COLOURS: Final = {Verdict.CERTIFIED: "green", Verdict.PARTIAL: "yellow", Verdict.NOT_CERTIFIED: "red"}
_LISTED_FAILURES: Final = 12


def summary_lines(report: Report, directory: Path) -> list[str]:
    """The lines between the rulers, without colours."""
    return [
        *_head(report),
        *_environment(report),
        *_states(report),
        *_failures(report),
        *_untested(report),
        f"report        {directory / REPORT_FILE}",
    ]


def _head(report: Report) -> Iterator[str]:
    tested = sum(row.outcome is not RequirementOutcome.UNTESTED for row in report.requirements)
    yield f"verdict       {report.verdict} (speaks of {tested} of {len(report.requirements)} requirements)"
    for reason in report.reasons:
        yield f"              {reason}"
    gpus = "simulated GPUs" if report.simulated_gpus else "real GPUs"
    yield f"cluster       {report.backend or 'none reached'}, {gpus}"


def _environment(report: Report) -> Iterator[str]:
    found = report.environment
    for node in found.nodes:
        yield f"node          {node.name}: {node.gpus} x {node.gpu_model}"
    versions = {
        "Kubernetes": found.kubernetes,
        "GPU Operator": found.operator,
        "mig-manager": found.mig_manager,
        "device plugin": found.device_plugin,
        "driver": found.driver,
    }
    yield "versions      " + ", ".join(f"{name} {version or 'unknown'}" for name, version in versions.items())


def _states(report: Report) -> Iterator[str]:
    count = report.reconfigurations
    yield f"states        {len(set(count.visited))} visited, {count.made} reconfigurations for {count.distinct} asked for"
    yield "cases         " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(report.summary.items()))
    yield f"restore       {report.restore.outcome}"
    for difference in report.restore.differences:
        yield f"              {difference}"


def _failures(report: Report) -> Iterator[str]:
    failed = [case for case in report.cases if case.outcome in ("failed", "error")]
    rows = [row for row in report.requirements if row.outcome is RequirementOutcome.FAILED]
    for row in rows:
        bad = row.cases.get("failed", 0) + row.cases.get("error", 0)
        yield f"failed        {row.id} {row.title} ({bad} of {sum(row.cases.values())} cases)"
    for case in failed[:_LISTED_FAILURES]:
        yield f"  {case.id}"
        yield from (f"    {line}" for line in case.reason.splitlines())
    if len(failed) > _LISTED_FAILURES:
        yield f"  and {len(failed) - _LISTED_FAILURES} more in the report"


def _untested(report: Report) -> Iterator[str]:
    untested = [row.id for row in report.requirements if row.outcome is RequirementOutcome.UNTESTED]
    if untested:
        yield f"untested      {', '.join(untested)}"
