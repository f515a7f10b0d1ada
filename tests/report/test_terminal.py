"""The summary, whole, as a person sees it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from conformance.expect.finding import Finding
from conformance.operations.restored import Restore, RestoreOutcome
from conformance.preflight.finding import PreflightFinding, Severity
from conformance.report.layout import Row, capped
from conformance.report.model import Case, Environment, LeftOut, NodeEnvironment, Outcome, Report
from conformance.report.terminal import summary
from tests.report.made import CORE, OUT, case, report_of, whole_run

RESOURCES = "test_resources.py::test_single"


def shown(report: Report) -> str:
    return "".join(f"{label}{text}\n" for row in summary(report, OUT) for label, text in row.rendered())


def row(report: Report, label: str) -> str:
    """The lines of one row, without the label."""
    found = next(row for row in summary(report, OUT) if row.label == label)
    return "".join(f"{text}\n" for _, text in found.rendered())


def refuted(state: str, number: int) -> Case:
    finding = Finding(
        subject=f"resources of node sim-0 under single, {state}",
        expected=(f"nvidia.com/gpu: {number}",),
        found=tuple(f"nvidia.com/mig-{size}g: {number}" for size in range(1, 8)),
        missing=("nvidia.com/gpu",),
        unexpected=("nvidia.com/mig-1g", "nvidia.com/mig-2g"),
    )
    return case(f"{RESOURCES}[single-{state}-sim-0]", Outcome.FAILED, "D-06", "D-19", reason="long", finding=finding)


def not_run(name: str, requirement: str, places: int) -> LeftOut:
    reason = "needs --allow-disruptive"
    return LeftOut(case=name, requirements=(requirement,), outcome="not-allowed", reason=reason, places=places)


def test_certified() -> None:
    run = whole_run()
    run.made, run.asked = 2, {"single-all-disabled", "mixed-all-1g.10gb"}
    run.visited = ["single-all-disabled", "single-all-disabled", "mixed-all-1g.10gb", "single-all-enabled"]
    run.restore = Restore(RestoreOutcome.EXACT)

    assert shown(report_of(run)) == dedent(
        """\
        verdict       certified, speaks of 13 of 28 requirements
        profile       full
        cluster       simulated, simulated GPUs
        nodes         sim-0, sim-1: 8 x NVIDIA H100 80GB HBM3
        versions      Kubernetes v1.36.3, GPU Operator v26.7.0, mig-manager v0.15.0, device plugin v0.20.0, GFD v0.20.0,
                        driver unknown
        states        single: all-disabled, all-enabled
                      mixed: all-1g.10gb
        reconfigured  2 times, for 2 distinct states
        cases         13 passed, in 12 s
        restore       exact: labels and strategy are as they were found
        untested      extended: D-03, D-08, D-10, D-11, D-12, D-13, D-14, D-16, D-17, D-22, D-23, D-24, D-25, D-27, D-28
        report        /somewhere/reports/report.json
        """
    )


def test_partial_on_somebody_s_cluster_that_was_only_read() -> None:
    run = whole_run()
    run.backend, run.simulated_gpus = "live", False
    del run.cases["conformance/cases/test_all.py::test_D-07"]
    run.selected = list(run.cases)
    run.left_out = [not_run("test_D-07", "D-07", places=36)]
    run.narrowed = ["narrowed to --node sim-1"]

    assert shown(report_of(run)) == dedent(
        """\
        verdict       partial, speaks of 12 of 28 requirements
                      narrowed to --node sim-1
                      left out at 36 places: needs --allow-disruptive
                      1 of 13 core requirements was not judged
        profile       full
        cluster       live, real GPUs
        nodes         sim-0, sim-1: 8 x NVIDIA H100 80GB HBM3
        versions      Kubernetes v1.36.3, GPU Operator v26.7.0, mig-manager v0.15.0, device plugin v0.20.0, GFD v0.20.0,
                        driver unknown
        states        none: every node stayed as it was found
        reconfigured  0 times, for 0 distinct states
        cases         12 passed, 36 not-allowed, in 12 s
        restore       not needed: nothing was changed
        untested      core: D-07
                      extended: D-03, D-08, D-10, D-11, D-12, D-13, D-14, D-16, D-17, D-22, D-23, D-24, D-25, D-27, D-28
                      needs --allow-disruptive: D-07
        report        /somewhere/reports/report.json
        """
    )


def test_what_preflight_found_is_told_with_what_blocks_first() -> None:
    run = whole_run()
    run.preflight = tuple(
        PreflightFinding(name, severity, ("node a", "node b"), "it is so", ("D-06",), "change it")
        for name, severity in (("taint", Severity.WARNS), ("failed", Severity.BLOCKS))
    )
    report = report_of(run)

    assert row(report, "preflight") == dedent(
        """\
        blocks failed: nodes a, b: it is so; change it
        warns taint: nodes a, b: it is so; change it
        """
    )
    assert [finding["id"] for finding in report.model_dump()["preflight"]] == ["taint", "failed"]


def test_not_certified() -> None:
    broken = case(
        "test_state.py::test_answer[x]", Outcome.ERROR, "D-02", reason="WaitTimeout: waited\n  a\n  b\n  c\n  d"
    )
    run = whole_run(refuted("all-1g.10gb", 56), refuted("all-2g.20gb", 24), broken)
    run.restore = Restore(RestoreOutcome.FAILED, ("sim-0: nvidia.com/mig.config is a, was b",))

    assert shown(report_of(run)) == dedent(
        """\
        verdict       not-certified, speaks of 13 of 28 requirements
                      2 of 16 cases failed
                      1 of 16 cases broke before they could judge
                      the cluster could not be put back as it was found
        profile       full
        cluster       simulated, simulated GPUs
        nodes         sim-0, sim-1: 8 x NVIDIA H100 80GB HBM3
        versions      Kubernetes v1.36.3, GPU Operator v26.7.0, mig-manager v0.15.0, device plugin v0.20.0, GFD v0.20.0,
                        driver unknown
        states        none: every node stayed as it was found
        reconfigured  0 times, for 0 distinct states
        cases         13 passed, 2 failed, 1 error, in 12 s
        restore       failed: the cluster differs from what was found; see `mig-conformance restore show`
                      sim-0: nvidia.com/mig.config is a, was b
        failed        D-02 State passes through pending to success: 1 of 2 cases
                      D-06 Resources under single: 2 of 3 cases
                      D-19 Seven slices of 1g.10gb: 2 of 3 cases
        findings      D-06 D-19 resources of node sim-0 under single, all-1g.10gb
                        expected    nvidia.com/gpu: 56
                        found       nvidia.com/mig-1g: 56
                                    nvidia.com/mig-2g: 56
                                    nvidia.com/mig-3g: 56
                                    and 4 more
                        missing     nvidia.com/gpu
                        unexpected  nvidia.com/mig-1g
                                    nvidia.com/mig-2g
                        and 1 more of test_single
                      D-02 test_answer[x]
                        WaitTimeout: waited
                          a
                          b
                        and 2 more
        untested      extended: D-03, D-08, D-10, D-11, D-12, D-13, D-14, D-16, D-17, D-22, D-23, D-24, D-25, D-27, D-28
        report        /somewhere/reports/report.json
        """
    )


@pytest.mark.parametrize(
    ("restore", "extra", "colours"),
    [
        ("exact", (), {"verdict": "green"}),
        ("failed", (), {"verdict": "red", "restore": "red"}),
        ("exact", (refuted("all-1g.10gb", 7),), {"verdict": "red", "failed": "red"}),
        ("exact", (case("test_a.py::test_a", Outcome.BLOCKED, CORE[0]),), {"verdict": "red"}),
    ],
)
def test_colours(restore: str, extra: tuple[Case, ...], colours: dict[str, str]) -> None:
    run = whole_run(*extra)
    run.restore = Restore(RestoreOutcome(restore))

    assert {row.label: row.colour for row in summary(report_of(run), OUT) if row.colour} == colours


def test_a_run_that_was_not_allowed_everything_is_yellow() -> None:
    run = whole_run()
    run.left_out = [not_run("test_a", CORE[0], places=1000)]

    assert {row.label: row.colour for row in summary(report_of(run), OUT) if row.colour} == {"verdict": "yellow"}


def test_what_could_not_be_judged_stands_by_itself() -> None:
    reason = "somebody else changed nvidia.com/mig.config of node sim-1: a -> b (by argocd)"
    run = whole_run(case("test_a.py::test_it", Outcome.INCONCLUSIVE, CORE[0], reason=reason))
    run.nodes_inconclusive["sim-1"] = reason
    run.nodes_left_out["sim-0"] = "node sim-0 is in use"
    report = report_of(run)

    assert row(report, "verdict").startswith(
        "inconclusive, speaks of 12 of 28 requirements\n1 of 14 cases was not judged: somebody else changed"
    )
    assert row(report, "not judged").splitlines()[:2] == [CORE[0], "left-out sim-0: node sim-0 is in use"]
    assert "inconclusive sim-1: somebody else changed" in row(report, "not judged")
    assert "failed" not in shown(report)


def test_cases_that_were_blocked_are_counted_and_not_shown_beside_what_blocks_them() -> None:
    blocked = case(f"{RESOURCES}[x]", Outcome.BLOCKED, "D-06", reason="blocked by test_state.py::test_answer[x]: why")
    broken = case("test_state.py::test_answer[x]", Outcome.ERROR, "D-02", reason="WaitTimeout: waited")
    report = report_of(whole_run(broken, blocked))

    assert row(report, "verdict").splitlines()[1:] == [
        "1 of 15 cases was blocked by another case",
        "1 of 15 cases broke before they could judge",
    ]
    assert row(report, "cases") == "13 passed, 1 error, 1 blocked, in 12 s\n"
    assert row(report, "failed") == "D-02 State passes through pending to success: 1 of 2 cases\n"
    assert "blocked by" not in row(report, "findings")


def test_a_thousand_failures_fit_a_screen() -> None:
    cases = [
        case(f"test_many.py::test_{function}[{number}]", Outcome.FAILED, "D-06", reason="\n".join("x" * 50))
        for function in range(10)
        for number in range(100)
    ]

    lines = shown(report_of(whole_run(*cases))).splitlines()

    assert len(lines) < 60
    assert "              and 400 cases of other functions, see the report" in lines


def test_nodes_that_are_alike_share_a_line() -> None:
    run = whole_run()
    names = [f"sim-{number}" for number in range(1000)]
    nodes = [NodeEnvironment(name=name, gpu_model="NVIDIA A30", gpus=4, configurations=()) for name in names]
    other = NodeEnvironment(name="other", gpu_model="NVIDIA A30", gpus=0, configurations=())
    run.environment = Environment(nodes=(*nodes, other))

    assert row(report_of(run), "nodes") == (
        "sim-0, sim-1, sim-2, sim-3, and 996 more: 4 x NVIDIA A30\nother: NVIDIA A30, number unknown\n"
    )


def test_long_lines_are_wrapped_and_stay_whole() -> None:
    words = [f"word-{number}" for number in range(40)]

    lines = list(Row("label", (" ".join(words),)).rendered())

    assert {label for label, _ in lines[1:]} == {" " * 14}
    assert all(len(label + text) <= 118 for label, text in lines)
    assert " ".join(text for _, text in lines).split() == words


@pytest.mark.parametrize(
    ("count", "expected"), [(0, ()), (2, ("0", "1")), (3, ("0", "1", "2")), (4, ("0", "1", "and 2 more"))]
)
def test_one_item_too_many_is_shown_rather_than_counted(count: int, expected: tuple[str, ...]) -> None:
    assert capped([str(number) for number in range(count)], 2) == expected


def test_what_nvidia_smi_remarked_stands_once_with_its_nodes() -> None:
    run = whole_run()
    remarks = {"sim-0": ("WARNING: a", "WARNING: b"), "sim-1": ("WARNING: a",)}
    nodes = [node.model_copy(update={"remarks": remarks[node.name]}) for node in run.environment.nodes]
    run.environment = run.environment.model_copy(update={"nodes": tuple(nodes)})

    assert row(report_of(run), "remarks") == "sim-0, sim-1: WARNING: a\nsim-0: WARNING: b\n"


def test_each_first_step_stands_with_the_first_finding_that_has_it() -> None:
    cases = [
        refuted(state, 56).model_copy(update={"id": f"test_a.py::test_{state}[x]", "next_steps": (step, "more")})
        for state, step in (("a", "read the log"), ("b", "read the log"), ("c", "list the pods"))
    ]

    lines = row(report_of(whole_run(*cases)), "findings").splitlines()

    assert [line.strip() for line in lines if line.strip().startswith("next ")] == [
        "next        read the log",
        "next        list the pods",
    ]
