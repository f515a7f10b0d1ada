"""Metrics that prometheus-client's own parser accepts, with few labels whatever the cluster."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from conformance.report.metrics import metrics_text
from conformance.report.model import NodeEnvironment, Report
from tests.report.kinds import KINDS, certified

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(report: Report) -> Samples:
    return {
        (sample.name.removeprefix("mig_conformance_"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics_text(report))
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_one_verdict_and_one_outcome_of_each_requirement_is_set(kind: str) -> None:
    report = KINDS[kind]()
    found = samples(report)

    assert value(found, "verdict", verdict=report.verdict) == 1
    assert sum(number for (name, _), number in found.items() if name == "verdict") == 1
    assert value(found, "exit_status") == report.exit_status
    for row in report.requirements:
        assert value(found, "requirement", requirement=row.id, level=row.level, outcome=row.outcome) == 1
    assert sum(number for (name, _), number in found.items() if name == "requirement") == len(report.requirements)
    for outcome, count in report.summary.items():
        assert value(found, "cases", outcome=outcome) == count


def test_times_are_those_of_the_report() -> None:
    found = samples(certified().model_copy(update={"started": "2026-11-24T12:00:00+00:00", "duration": 90.5}))

    assert value(found, "duration_seconds") == 90.5
    assert value(found, "end_timestamp_seconds") == 1795521690.5
    labels = {"gpu_model": "NVIDIA H100 80GB HBM3", "change": "label-to-success"}
    assert value(found, "convergence_seconds", **labels, statistic="median") == 13.5
    assert value(found, "convergence_measurements", **labels) == 2


def test_a_large_cluster_has_as_many_metrics_as_a_small_one() -> None:
    small = certified()
    nodes = tuple(
        NodeEnvironment(name=f"node-{number}", gpu_model="NVIDIA H100 80GB HBM3", gpus=8, configurations=())
        for number in range(1000)
    )
    large = small.model_copy(update={"environment": small.environment.model_copy(update={"nodes": nodes})})

    assert samples(large).keys() == samples(small).keys()
    assert value(samples(large), "nodes", gpu_model="NVIDIA H100 80GB HBM3", outcome="judged") == 1000
