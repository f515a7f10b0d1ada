"""Reports for the page: a small one in which everything occurs, and large ones of many nodes."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.expect.finding import Finding
from conformance.operations.restored import Restore
from conformance.report.model import (
    Case,
    CaseCell,
    CaseFunction,
    CauseClass,
    Environment,
    NodeEnvironment,
    NotTested,
    Outcome,
    Reconfigurations,
    Report,
    RequirementOutcome,
    RequirementResult,
    Verdict,
)
from conformance.report.observations import Evidence, LogExcerpt, PodStatus, Stay, TimelineEntry
from conformance.spec.requirements import REQUIREMENTS

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \u2028 {{ 7*7 }} \"'&"
"""A text that breaks out of a page that was put together from strings."""

CELLS = (
    CaseCell(strategy="single", configuration="all-disabled"),
    CaseCell(strategy="mixed", configuration="all-1g.10gb"),
)
_FAILED = Finding(
    expected=("nvidia.com/gpu: 56", "nothing else"),
    found=("nvidia.com/gpu: 55",),
    subject="resources of node sim-0 under single, all-disabled",
    timeline=("12.0 s ago  capacity nvidia.com/gpu: 7 -> 55",),
    likely=("the device plugin leaves one device out",),
)
_RULES = {
    "test_resources": CaseFunction(
        module="conformance/cases/test_resources.py",
        requirements=("D-06",),
        level="core",
        scenario="AwaitResources",
        statement="The node MUST advertise `nvidia.com/gpu` and nothing else.",
        source='runbook, "What it is"; k8s-device-plugin v0.20.0, internal/rm; mig-parted issue 18.',
    ),
    "test_reboot": CaseFunction(
        module="conformance/cases/test_reboots.py",
        requirements=("D-24",),
        level="extended",
        scenario="Reboot",
        statement="After a reboot the node MUST be back in its configuration.",
        source="gpu-operator issue 2670",
    ),
}


def small_report(hostile: str = "") -> Report:
    """A run on two nodes with a failed core and a broken extended requirement, and cases that could not judge.

    `hostile` stands in every text that comes from the cluster or from the user.
    """
    nodes = ("sim-0", f"sim-1{hostile}")
    failed = (
        _FAILED
        if not hostile
        else Finding((hostile,), (hostile,), (hostile,), (hostile,), hostile, (hostile,), (hostile,))
    )
    cases = [
        _case(
            "test_resources",
            nodes[0],
            CELLS[0],
            Outcome.FAILED,
            finding=failed,
            evidence="first",
            next_steps=(f"look at `kubectl`{hostile}",),
        ),
        _case("test_resources", nodes[1], CELLS[0], Outcome.FAILED, finding=failed),
        _case("test_resources", nodes[0], CELLS[1], Outcome.PASSED),
        _case("test_reboot", nodes[1], CELLS[1], Outcome.ERROR, reason=f"the node did not come back{hostile}"),
        _case("test_reboot", nodes[0], CELLS[1], Outcome.BLOCKED, reason=f"blocked by test_resources{hostile}"),
        _case("test_reboot", nodes[0], CELLS[0], Outcome.INCONCLUSIVE, reason=f"somebody changed the node{hostile}"),
    ]
    seen = Evidence(
        node=nodes[0],
        taken=90.5,
        timeline=(
            TimelineEntry(time=61, kind="resource", subject="x", change=f"capacity nvidia.com/gpu: 7 -> 55{hostile}"),
        ),
        logs=(LogExcerpt(pod="nvidia-mig-manager-x", container="nvidia-mig-manager", lines=(f"a line{hostile}",)),),
        events=(f"BackOff{hostile}",),
        pods=(
            PodStatus(name="nvidia-mig-manager-x", app="nvidia-mig-manager", phase="Running", ready=True, restarts=0),
        ),
    )
    return _report(
        cases,
        nodes,
        evidence={"first": seen},
        timelines={node: tuple(_changes(3, hostile)) for node in nodes},
        stays={node: tuple(_stays(3)) for node in nodes},
        not_tested=(
            NotTested(
                reason=f"--allow-reboot is missing{hostile}",
                cause="not-allowed",
                cases=4,
                requirements=("D-12",),
                nodes=nodes,
            ),
        ),
        reasons=(f"2 of 6 cases failed{hostile}",),
    )


def large_report(nodes: int, cells: int, cases_per_cell: int, failed_nodes: int = 3, failed_cases: int = 1) -> Report:
    """A run of many nodes through many cells; 0 cells is a run that only reads. On some nodes rules do not hold."""
    names = tuple(f"ip-10-0-{number // 256}-{number % 256}.eu-central-1.compute.internal" for number in range(nodes))
    places = [
        CaseCell(strategy=("single", "mixed")[number % 2], configuration=f"all-{number}g")
        for number in range(max(cells, 1))
    ]
    cases = [
        _case(
            f"test_number_{number}",
            node,
            cell,
            Outcome.FAILED if number < failed_cases and at < failed_nodes else Outcome.PASSED,
            finding=_FAILED if number < failed_cases and at < failed_nodes else None,
        )
        for at, node in enumerate(names)
        for cell in places
        for number in range(cases_per_cell)
    ]
    return _report(
        cases,
        names,
        timelines={node: tuple(_changes(cells)) for node in names},
        stays={node: tuple(_stays(cells)) for node in names},
    )


def _case(function: str, node: str, cell: CaseCell, outcome: Outcome, **more: object) -> Case:
    rule = _RULES.get(function)
    return Case.model_validate(
        {
            "id": f"conformance/cases/test_all.py::{function}[{cell.strategy}-{cell.configuration}-{node}]",
            "function": function,
            "node": node,
            "cell": cell,
            "outcome": outcome,
            "duration": 0.25,
            "requirements": rule.requirements if rule else ("D-01",),
            "cause": None if outcome is Outcome.PASSED else CauseClass.PRODUCT,
            **more,
        }
    )


def _report(cases: list[Case], nodes: tuple[str, ...], **more: object) -> Report:
    return Report.model_validate(
        {
            "suite_version": "0.1.0",
            "started": "2026-11-28T23:14:47+00:00",
            "duration": 63.3,
            "verdict": Verdict.NOT_CERTIFIED,
            "reasons": ("some cases failed",),
            "backend": "simulated",
            "simulated_gpus": True,
            "environment": Environment(kubernetes="v1.36.3", nodes=tuple(_node(name) for name in nodes)),
            "summary": {outcome.value: sum(case.outcome is outcome for case in cases) for outcome in Outcome},
            "requirements": tuple(_requirements(cases)),
            "functions": _RULES,
            "cases": tuple(cases),
            "left_out": (),
            "spent": {"start": 1.0},
            "api_requests": {"get": 12},
            "timelines": {},
            "reconfigurations": Reconfigurations(made=2, distinct=2, visited=("single-all-disabled",)),
            "restore": Restore(),
            **more,
        }
    )


def _requirements(cases: list[Case]) -> Iterator[RequirementResult]:
    for row in REQUIREMENTS.values():
        found = [case.outcome for case in cases if row.id in case.requirements]
        failed = any(outcome in (Outcome.FAILED, Outcome.ERROR) for outcome in found)
        outcome = (
            RequirementOutcome.FAILED if failed else RequirementOutcome.PASSED if found else RequirementOutcome.UNTESTED
        )
        yield RequirementResult(
            id=row.id,
            title=row.title,
            level=row.level,
            outcome=outcome,
            cases={one.value: found.count(one) for one in Outcome if one in found},
            source=row.source,
            statement=row.statement,
        )


def _node(name: str) -> NodeEnvironment:
    return NodeEnvironment(
        name=name, gpu_model="NVIDIA H100 80GB HBM3", gpus=8, configurations=("all-disabled", "all-1g.10gb")
    )


def _stays(cells: int) -> Iterator[Stay]:
    for number in range(cells):
        cell = CELLS[number % 2]
        yield Stay(
            start=number * 180.0, end=(number + 1) * 180.0, strategy=cell.strategy, configuration=cell.configuration
        )


def _changes(cells: int, hostile: str = "") -> Iterator[TimelineEntry]:
    """About as many changes as a node with eight GPUs shows in each cell."""
    for number in range(cells):
        for kind, subject, values, after in _steps(number):
            time = round(number * 180 + after + (number * 7919 % 1000) / 1000, 3)
            yield TimelineEntry(
                time=time, kind=kind, subject=subject, change=f"{subject}: {values}{hostile}", values=values
            )


def _steps(number: int) -> Iterator[tuple[str, str, dict[str, str | int | None], float]]:
    state, deploy = "nvidia.com/mig.config.state", "nvidia.com/gpu.deploy.{}".format
    operands = ("device-plugin", "gpu-feature-discovery", "dcgm-exporter", "operator-validator", "cuda-validator")
    yield "labels", "nvidia.com/mig.config", {"nvidia.com/mig.config": f"all-{number}g", state: None}, 0
    yield "labels", state, {state: "pending"}, 2
    yield "labels", "deploy labels", {deploy(name): "paused-for-mig-change" for name in operands}, 3
    for at, name in enumerate(operands):
        for after, event in enumerate(("terminating", "gone")):
            yield "pod", f"gpu-operator/nvidia-{name}-{number - 1:05x}", {f"nvidia-{name}": event}, 4 + after * 6 + at
    yield "resource", "allocatable nvidia.com/gpu", {"allocatable nvidia.com/gpu": 0}, 16
    yield "labels", "deploy labels", {deploy(name): "true" for name in operands}, 30
    yield "labels", state, {state: "success"}, 31
    for at, name in enumerate(operands):
        for after, event in enumerate(("appeared", "ready", "not ready", "restarted", "ready")):
            yield "pod", f"gpu-operator/nvidia-{name}-{number:05x}", {f"nvidia-{name}": event}, 32 + after * 5 + at
    yield "resource", "allocatable nvidia.com/gpu", {"allocatable nvidia.com/gpu": 7 * (number % 8 + 1)}, 70
    for pod in range(60):
        for after, event in enumerate(("appeared", "ready", "ended", "gone")):
            yield "pod", f"mig-conformance/user-{number}-{pod}", {f"user-{number}-{pod}": event}, 75 + after * 3 + pod
    yield "labels", "nvidia.com/gpu.product", {}, 72
