"""The summary that the terminal shows at the end of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

from conformance.preflight.finding import PreflightFinding
from conformance.preflight.text import short
from conformance.report.assemble import gpu_kind, versions
from conformance.report.directory import REPORT_FILE
from conformance.report.failures import failed_requirements, findings
from conformance.report.layout import Row, capped
from conformance.report.model import NOT_JUDGED, NodeEnvironment, NodeOutcome, Report, RequirementOutcome, Verdict
from conformance.report.run import Run
from conformance.wording import counted

COLOURS: Final = {
    Verdict.CERTIFIED: "green",
    Verdict.PARTIAL: "yellow",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_CERTIFIED: "red",
}
_COMPONENTS: Final = {
    "kubernetes": "Kubernetes",
    "operator": "GPU Operator",
    "mig_manager": "mig-manager",
    "device_plugin": "device plugin",
    "feature_discovery": "GFD",
    "driver": "driver",
}
_LISTED_NODES: Final = 4
_LISTED_REASONS: Final = 8
_RESTORED: Final = {
    "exact": "exact: labels and strategy are as they were found",
    "failed": "failed: the cluster differs from what was found; see `mig-conformance restore show`",
    "not-needed": "not needed: nothing was changed",
}


def summary(report: Report, directory: Path) -> list[Row]:
    """Return the rows of the summary, from the verdict to the path of the report."""
    return [
        _verdict(report),
        Row("profile", (report.profile,)),
        Row("cluster", (f"{report.backend}, {gpu_kind(report)} GPUs",)),
        Row("nodes", tuple(_nodes(report.environment.nodes))),
        Row("versions", (_versions(report),)),
        *_remarks(report.environment.nodes),
        *preflight_rows(report.preflight),
        Row("states", tuple(_states(report.reconfigurations.visited)) or ("none: every node stayed as it was found",)),
        _reconfigured(report),
        _cases(report),
        _restore(report),
        *failed_requirements(report),
        *findings(report),
        *_not_judged(report),
        *_untested(report),
        Row("report", (str(directory / REPORT_FILE),)),
    ]


def published(run: Run) -> list[Row]:
    """Return the row that says what was published in the cluster; empty if nobody asked for that."""
    return [Row("published", capped(run.published, _LISTED_REASONS))] if run.published else []


def _verdict(report: Report) -> Row:
    judged = sum(row.outcome not in NOT_JUDGED for row in report.requirements)
    said = f"{report.verdict}, speaks of {judged} of {len(report.requirements)} requirements"
    return Row("verdict", (said, *capped(report.reasons, _LISTED_REASONS)), COLOURS[report.verdict])


def _nodes(nodes: Iterable[NodeEnvironment]) -> Iterator[str]:
    """One line for all nodes that are alike."""
    alike: dict[str, list[str]] = {}
    for node in nodes:
        gpus = f"{node.gpus} x {node.gpu_model}" if node.gpus else f"{node.gpu_model}, number unknown"
        alike.setdefault(gpus, []).append(node.name)
    for gpus, names in alike.items():
        yield f"{', '.join(capped(names, _LISTED_NODES))}: {gpus}"


def _remarks(nodes: Iterable[NodeEnvironment]) -> Iterator[Row]:
    """One line for each remark, with the nodes on which nvidia-smi or the probe made it."""
    alike: dict[str, list[str]] = {}
    for node in nodes:
        for remark in node.remarks:
            alike.setdefault(remark, []).append(node.name)
    lines = [f"{', '.join(capped(names, _LISTED_NODES))}: {remark}" for remark, names in alike.items()]
    if lines:
        yield Row("remarks", capped(lines, _LISTED_REASONS), "yellow")


def preflight_rows(findings: Iterable[PreflightFinding]) -> Iterator[Row]:
    """One line for each finding, those that block first; `mig-conformance preflight` says more."""
    ordered = sorted(findings, key=lambda finding: finding.severity)
    if ordered:
        lines = [f"{finding.severity} {finding.id}: {short(finding)}" for finding in ordered]
        yield Row("preflight", capped(lines, _LISTED_REASONS), "yellow")


def _versions(report: Report) -> str:
    found = versions(report.environment)
    return ", ".join(f"{shown} {found[name] or 'unknown'}" for name, shown in _COMPONENTS.items())


def _states(visited: Iterable[str]) -> Iterator[str]:
    """One line for each strategy, its configurations in the order of the first visit."""
    configurations: dict[str, list[str]] = {}
    for state in dict.fromkeys(visited):
        strategy, _, configuration = state.partition("-")
        configurations.setdefault(strategy, []).append(configuration)
    for strategy, names in configurations.items():
        yield f"{strategy}: {', '.join(names)}"


def _reconfigured(report: Report) -> Row:
    count = report.reconfigurations
    return Row("reconfigured", (f"{counted(count.made, 'time')}, for {counted(count.distinct, 'distinct state')}",))


def _cases(report: Report) -> Row:
    counts = [f"{count} {outcome}" for outcome, count in report.summary.items() if count]
    return Row("cases", (f"{', '.join(counts) or 'none'}, in {report.duration:.0f} s",))


def _restore(report: Report) -> Row:
    restore = report.restore
    outcome = _RESTORED[restore.outcome]
    if restore.hindered:
        outcome = "not completed: `mig-conformance restore apply` puts back what is left, cordons too"
    if restore.outcome == "exact" and restore.changed_since:
        outcome = "exact, except for what others changed since; that stays as it is"
    told = (restore.differences, restore.changed_since, restore.earlier)
    lines = (outcome, *(line for listed in told for line in capped(listed, _LISTED_REASONS)))
    return Row("restore", lines, "red" if restore.outcome == "failed" else None)


def _not_judged(report: Report) -> Iterator[Row]:
    names = [row.id for row in report.requirements if row.outcome is RequirementOutcome.INCONCLUSIVE]
    nodes = [
        f"{node.outcome} {node.name}: {node.reason}"
        for node in report.environment.nodes
        if node.outcome is not NodeOutcome.JUDGED
    ]
    lines = ([", ".join(names)] if names else []) + list(capped(nodes, _LISTED_NODES))
    if lines:
        yield Row("not judged", tuple(lines), "yellow")


def _untested(report: Report) -> Iterator[Row]:
    levels: dict[str, list[str]] = {}
    for row in report.requirements:
        if row.outcome is RequirementOutcome.UNTESTED:
            levels.setdefault(row.level, []).append(row.id)
    if levels:
        lines = [f"{level}: {', '.join(names)}" for level, names in sorted(levels.items())]
        yield Row("untested", (*lines, *_needs(report, {name for names in levels.values() for name in names})))


def _needs(report: Report, untested: Collection[str]) -> Iterator[str]:
    """What untested requirements would need, a line for each option, with what it is needed for."""
    for one in report.not_tested:
        ids = [name for name in one.requirements if name in untested]
        if one.cause == "not-allowed" and one.reason.startswith("needs ") and ids:
            yield f"{one.reason}: {', '.join(ids)}"
