"""`metrics.prom`: the report as Prometheus metrics, for the textfile collector of node_exporter or a Pushgateway.

Labels have few values, whatever the size of the cluster: nodes and cases are counted, and never named.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from conformance.report.model import Outcome, Report, RequirementOutcome, Verdict

METRICS_FILE: Final = "metrics.prom"
_PREFIX: Final = "mig_conformance_"


def metrics_text(report: Report) -> str:
    """Return the metrics of a report in the text format of Prometheus."""
    registry = CollectorRegistry()
    for fill in (_verdict, _scope, _requirements, _cases, _times, _convergence):
        fill(report, lambda name, text, *labels: Gauge(_PREFIX + name, text, labels, registry=registry))
    return generate_latest(registry).decode("utf-8")


_Make = Callable[..., Gauge]


def _verdict(report: Report, make: _Make) -> None:
    verdict = make("verdict", "1 for the verdict of the run, 0 for every other one.", "verdict")
    for one in Verdict:
        verdict.labels(one.value).set(one is report.verdict)
    make("exit_status", "Exit status of the run.").set(report.exit_status)
    make("restore_failed", "1 if the cluster could not be put back as it was found.").set(
        report.restore.outcome == "failed"
    )
    ended = datetime.fromisoformat(report.started).timestamp() + report.duration
    make("end_timestamp_seconds", "When the run ended, in Unix time.").set(ended)


def _scope(report: Report, make: _Make) -> None:
    known = {
        "suite": report.suite_version,
        "profile": report.profile,
        "backend": report.backend,
        "gpus": "simulated" if report.simulated_gpus else "real",
        **report.environment.model_dump(exclude={"nodes"}),
    }
    make("run_info", "What the run was about; always 1.", *known).labels(*known.values()).set(1)
    nodes = make("nodes", "Nodes under test by GPU model and by what became of them.", "gpu_model", "outcome")
    for node in report.environment.nodes:
        nodes.labels(node.gpu_model, node.outcome.value).inc()


def _requirements(report: Report, make: _Make) -> None:
    outcome = make(
        "requirement", "1 for the outcome of a requirement, 0 for every other one.", "requirement", "level", "outcome"
    )
    for row in report.requirements:
        for one in RequirementOutcome:
            outcome.labels(row.id, row.level, one.value).set(one is row.outcome)


def _cases(report: Report, make: _Make) -> None:
    cases = make("cases", "Cases and left-out places by outcome.", "outcome")
    for one in Outcome:
        cases.labels(one.value).set(report.summary.get(one.value, 0))


def _times(report: Report, make: _Make) -> None:
    make("duration_seconds", "Wall time of the run.").set(report.duration)
    spent = make("spent_seconds", "Wall time of the run by what it went into.", "on")
    for name, seconds in report.spent.items():
        spent.labels(name).set(seconds)
    requests = make("api_requests", "Requests sent to the API server by verb.", "verb")
    for verb, count in report.api_requests.items():
        requests.labels(verb).set(count)


def _convergence(report: Report, make: _Make) -> None:
    labels = ("gpu_model", "change")
    seconds = make("convergence_seconds", "How long a kind of change took.", *labels, "statistic")
    count = make("convergence_measurements", "How often a kind of change was measured.", *labels)
    for one in report.convergence:
        for statistic in ("minimum", "median", "maximum"):
            seconds.labels(one.gpu_model, one.change, statistic).set(getattr(one, statistic))
        count.labels(one.gpu_model, one.change).set(one.n)
