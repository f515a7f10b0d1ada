"""Runs and cases as small as a test needs them."""

from __future__ import annotations

from pathlib import Path

from conformance.expect.finding import Finding
from conformance.report.assemble import Ending, Stopwatch, assemble
from conformance.report.exit_status import exit_status
from conformance.report.model import Case, Environment, NodeEnvironment, Outcome, Report, Required
from conformance.report.run import Run
from conformance.report.verdict import judge
from conformance.spec.requirements import REQUIREMENTS

CORE = tuple(row.id for row in REQUIREMENTS.values() if row.level == "core")
EXTENDED = tuple(row.id for row in REQUIREMENTS.values() if row.level == "extended")
EVERY = (*CORE, *EXTENDED)


def case(
    name: str,
    outcome: Outcome = Outcome.PASSED,
    *requirements: str,
    reason: str = "",
    finding: Finding | None = None,
) -> Case:
    return Case(
        id=f"conformance/cases/{name}",
        outcome=outcome,
        duration=1.5,
        requirements=requirements,
        reason=reason,
        finding=finding,
    )


def run_of(*cases: Case) -> Run:
    """A run on two simulated nodes in which exactly these cases were selected and ended."""
    names = [case.id for case in cases]
    return Run(
        backend="simulated",
        simulated_gpus=True,
        environment=Environment(
            kubernetes="v1.36.3",
            operator="v26.7.0",
            mig_manager="v0.15.0",
            device_plugin="v0.20.0",
            feature_discovery="v0.20.0",
            nodes=tuple(_node(name) for name in ("sim-0", "sim-1")),
        ),
        selected=names,
        cases=dict(zip(names, cases, strict=True)),
    )


def whole_run(*more: Case) -> Run:
    """A run in which one case of every core requirement passed, and what else is given."""
    return run_of(*(case(f"test_all.py::test_{name}", Outcome.PASSED, name) for name in CORE), *more)


def report_of(run: Run, required: Required = Required.CERTIFIED, of_pytest: int | None = None) -> Report:
    """The report of a run that pytest ended with a status; None: the status that the outcomes of its cases give."""
    judgement = judge(run)
    failed = any(case.outcome in (Outcome.FAILED, Outcome.ERROR) for case in run.cases.values())
    status = exit_status(int(failed) if of_pytest is None else of_pytest, judgement.verdict, required)
    made = assemble(run, judgement, Stopwatch(), Ending(required, status))
    return made.model_copy(update={"duration": 12.3})


def _node(name: str) -> NodeEnvironment:
    return NodeEnvironment(name=name, gpu_model="NVIDIA H100 80GB HBM3", gpus=8, configurations=("all-disabled",))


OUT = Path("/somewhere/reports")
