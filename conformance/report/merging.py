"""Joins reports of runs on different nodes, or under different strategies, of one cluster into one report.

What one run left out counts as tested if another one tested it. Whether it did is known from numbers: of runs with the
same nodes and the same narrowing, each function must have run at as many places as the most complete of them names.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from typing import Final, TypeVar

from conformance.operations.restored import Restore, RestoreOutcome
from conformance.report.exit_status import exit_status
from conformance.report.model import (
    BAD_OUTCOMES,
    Case,
    Environment,
    Invocation,
    LeftOut,
    NodeEnvironment,
    NodeOutcome,
    Outcome,
    Reconfigurations,
    Report,
    Required,
    Scope,
)
from conformance.report.observations import ChangeKind, Convergence
from conformance.report.omissions import not_tested
from conformance.report.run import NARROWED_TO_CONFIGURATION, NARROWED_TO_NODE, Run
from conformance.report.shifting import shifted
from conformance.report.validation import ReportError
from conformance.report.verdict import judge
from conformance.spec.names import Strategy

JOINT: Final = "+"
"""Between the ids of the runs in the id of a merged one."""
_SAME: Final = ("suite_version", "profile", "backend")
_WORST_FIRST: Final = (Outcome.FAILED, Outcome.ERROR, Outcome.BLOCKED, Outcome.INCONCLUSIVE, Outcome.PASSED)
_STRATEGIES: Final = (Strategy.SINGLE, Strategy.MIXED)
_Value = TypeVar("_Value")
_Number = TypeVar("_Number", int, float)


def merge(reports: Sequence[Report], required: Required) -> Report:
    """Join reports; of a case that ran twice, the worse outcome counts, and of two equal ones the later.

    Args:
        reports: At least one.
        required: The least verdict for exit status 0.

    Raises:
        ReportError: They are of different clusters, suites, profiles or versions, or one run is there twice; the
            message says which.
    """
    _refuse_strangers(reports)
    _refuse_repeated(reports)
    ordered = list(shifted(sorted(reports, key=lambda report: report.started)))
    run = _joined(ordered)
    judgement = judge(run)
    outcomes = Counter(case.outcome.value for case in run.cases.values())
    for one in run.left_out:
        outcomes[one.outcome] += one.places
    nodes = [node.name for node in run.environment.nodes]
    return ordered[0].model_copy(
        update={
            "run": JOINT.join(report.run for report in ordered),
            "invocation": _invocation(ordered),
            "duration": round(sum(report.duration for report in ordered), 3),
            "verdict": judgement.verdict,
            "reasons": judgement.reasons,
            "require": required,
            "exit_status": exit_status(_failed(run), judgement.verdict, required),
            "interrupted": False,
            "simulated_gpus": any(report.simulated_gpus for report in ordered),
            "environment": run.environment,
            "scope": _scope(ordered, run),
            "summary": {outcome.value: outcomes[outcome] for outcome in Outcome},
            "requirements": judgement.requirements,
            "functions": _last(report.functions for report in ordered),
            "cases": tuple(run.cases.values()),
            "evidence": _last(report.evidence for report in ordered),
            "not_tested": not_tested(run, judgement.requirements),
            "left_out": tuple(run.left_out),
            "preflight": tuple(dict.fromkeys(chain(*(report.preflight for report in ordered)))),
            "spent": _total(report.spent for report in ordered),
            "api_requests": _total(report.api_requests for report in ordered),
            "timelines": {name: tuple(chain(*(it.timelines.get(name, ()) for it in ordered))) for name in nodes},
            "stays": {name: tuple(chain(*(it.stays.get(name, ()) for it in ordered))) for name in nodes},
            "convergence": tuple(_convergence(ordered)),
            "reconfigurations": Reconfigurations(
                made=sum(report.reconfigurations.made for report in ordered),
                distinct=sum(report.reconfigurations.distinct for report in ordered),
                visited=tuple(chain(*(report.reconfigurations.visited for report in ordered))),
            ),
            "restore": run.restore,
        }
    )


def _refuse_strangers(reports: Sequence[Report]) -> None:
    first = reports[0]
    for report in reports:
        if not report.environment.cluster:
            raise ReportError(
                f"run {report.run} does not know its cluster: its credentials need the right to get namespaces"
            )
        mine, other = (_identity(it) for it in (first, report))
        for name, value in mine.items():
            if other[name] != value:
                raise ReportError(f"{name} differs: {value or 'unknown'} and {other[name] or 'unknown'}")


def _refuse_repeated(reports: Sequence[Report]) -> None:
    """A run that is there twice would count twice in times, numbers and convergence."""
    runs = Counter(chain(*(report.run.split(JOINT) for report in reports if report.run)))
    if again := [run for run, count in runs.items() if count > 1]:
        raise ReportError(f"run {', '.join(again)} is there more than once: name the report of each run once")


def _identity(report: Report) -> dict[str, str]:
    known = {name: str(getattr(report, name)) for name in _SAME}
    return {"cluster": report.environment.cluster, **known, **report.environment.model_dump(exclude={"nodes"})}


def _joined(reports: Sequence[Report]) -> Run:
    """The record of a run that did everything."""
    environment = _environment(reports)
    left_out, short = _left_out(reports)
    cases = _cases(reports)
    return Run(
        environment=environment,
        cases=cases,
        selected=list(cases),
        left_out=left_out,
        not_run=dict(short),
        deselected=short.total(),
        narrowed=list(_narrowed(reports, environment, cases.values())),
        nodes_left_out={it.name: it.reason for it in environment.nodes if it.outcome is NodeOutcome.LEFT_OUT},
        restore=_restore([report.restore for report in reports]),
    )


def _cases(reports: Iterable[Report]) -> dict[str, Case]:
    found: dict[str, Case] = {}
    for case in chain(*(report.cases for report in reports)):
        before = found.get(case.id)
        if before is None or _weight(case) <= _weight(before):
            found[case.id] = case
    return found


def _weight(case: Case) -> int:
    """Position in the order from the worst outcome to the best; one that says nothing comes last."""
    return _WORST_FIRST.index(case.outcome) if case.outcome in _WORST_FIRST else len(_WORST_FIRST)


def _left_out(reports: Iterable[Report]) -> tuple[list[LeftOut], Counter[str]]:
    """What no run of the same nodes and narrowing tested: places left out, and places that did not run, by function."""
    alike: defaultdict[object, list[Report]] = defaultdict(list)
    for report in reports:
        nodes = frozenset(node.name for node in report.environment.nodes)
        alike[nodes, frozenset(report.scope.narrowed)].append(report)
    left_out: Counter[tuple[str, str, str, tuple[str, ...]]] = Counter()
    short: Counter[str] = Counter()
    for group in alike.values():
        ran: defaultdict[str, set[str]] = defaultdict(set)
        for case in chain(*(report.cases for report in group)):
            ran[case.function].add(case.id)
        known = [_places(report) for report in group]
        expected = {name: max(places[name] for places in known) for name in {*chain(*known)}}
        missing = {name: count - len(ran[name]) for name, count in expected.items() if count > len(ran[name])}
        most: Counter[tuple[str, str, str, tuple[str, ...]]] = Counter()
        for report in group:
            for one in report.left_out:
                if one.case in missing:
                    key = (one.case, one.reason, one.outcome, one.requirements)
                    most[key] = max(most[key], one.places)
        left_out += most
        named = Counter[str]()
        for (name, *_), places in most.items():
            named[name] += places
        short += Counter({name: count - named[name] for name, count in missing.items() if count > named[name]})
    rows = [
        LeftOut(case=case, requirements=requirements, outcome=outcome, reason=reason, places=places)  # type: ignore[arg-type] # one of two words
        for (case, reason, outcome, requirements), places in left_out.items()
    ]
    return rows, short


def _places(report: Report) -> Counter[str]:
    """The places of each function that a run knew of."""
    counts = Counter(case.function for case in report.cases)
    for one in report.left_out:
        counts[one.case] += one.places
    counts.update(report.scope.not_run)
    return counts


def _narrowed(reports: Sequence[Report], environment: Environment, cases: Iterable[Case]) -> Iterator[str]:
    """The reasons for which the runs together do not cover everything."""
    nodes = {node.name for node in environment.nodes}
    every_node = nodes >= {name for report in reports for name in report.scope.nodes}
    judged = {(case.node, case.cell.strategy, case.cell.configuration) for case in cases if case.cell is not None}
    every_cell = all(
        (node.name, strategy, name) in judged
        for node in environment.nodes
        for name in node.configurations
        for strategy in _STRATEGIES
    )
    for reason in dict.fromkeys(chain(*(report.scope.narrowed for report in reports))):
        cured = (every_node and reason.startswith(NARROWED_TO_NODE)) or (
            every_cell and reason.startswith(NARROWED_TO_CONFIGURATION)
        )
        if not cured:
            yield reason


def _environment(reports: Sequence[Report]) -> Environment:
    """The environment with all nodes; one that any run could not judge stays so."""
    nodes: dict[str, NodeEnvironment] = {}
    for node in chain(*(report.environment.nodes for report in reports)):
        before = nodes.get(node.name)
        if before is None or before.outcome is NodeOutcome.JUDGED:
            nodes[node.name] = node
    return reports[0].environment.model_copy(update={"nodes": tuple(nodes.values())})


def _restore(restores: Sequence[Restore]) -> Restore:
    outcomes = [one.outcome for one in restores]
    failed = [one for one in restores if one.outcome is RestoreOutcome.FAILED]
    order = (RestoreOutcome.FAILED, RestoreOutcome.EXACT, RestoreOutcome.NOT_NEEDED)
    return Restore(
        outcome=next(outcome for outcome in order if outcome in outcomes),
        differences=tuple(chain(*(one.differences for one in restores))),
        changed_since=tuple(chain(*(one.changed_since for one in restores))),
        put_back=tuple(chain(*(one.put_back for one in restores))),
        earlier=tuple(chain(*(one.earlier for one in restores))),
        hindered=bool(failed) and all(one.hindered for one in failed),
    )


def _scope(reports: Sequence[Report], run: Run) -> Scope:
    nodes = dict.fromkeys(chain(*(report.scope.nodes for report in reports)))
    return Scope(nodes=tuple(nodes), narrowed=tuple(run.narrowed), not_run=dict(run.not_run))


def _invocation(reports: Sequence[Report]) -> Invocation:
    """The commands one after another, and the options and seeds that all runs had."""
    first, *others = [report.invocation for report in reports]
    return Invocation(
        command="; ".join(report.invocation.command for report in reports),
        options={k: v for k, v in first.options.items() if all(it.options.get(k) == v for it in others)},
        seeds={k: v for k, v in first.seeds.items() if all(it.seeds.get(k) == v for it in others)},
    )


def _convergence(reports: Iterable[Report]) -> Iterator[Convergence]:
    """Join the times; the median is that of the medians, each counted as often as it was measured."""
    found: defaultdict[tuple[str, ChangeKind], list[Convergence]] = defaultdict(list)
    for one in chain(*(report.convergence for report in reports)):
        found[one.gpu_model, one.change].append(one)
    for (model, kind), parts in found.items():
        yield Convergence(
            gpu_model=model,
            change=kind,
            n=sum(part.n for part in parts),
            minimum=min(part.minimum for part in parts),
            median=round(_median(parts), 3),
            maximum=max(part.maximum for part in parts),
        )


def _median(parts: Sequence[Convergence]) -> float:
    """The median of the medians; their numbers may be large, so they are not written out."""
    ordered = sorted(parts, key=lambda part: part.median)
    ends = list(accumulate(part.n for part in ordered))
    low, high = (ordered[bisect_right(ends, place)].median for place in ((ends[-1] - 1) // 2, ends[-1] // 2))
    return (low + high) / 2


def _last(tables: Iterable[Mapping[str, _Value]]) -> dict[str, _Value]:
    return {name: value for table in tables for name, value in table.items()}


def _total(tables: Iterable[Mapping[str, _Number]]) -> dict[str, _Number]:
    total: dict[str, _Number] = {}
    for table in tables:
        for name, value in table.items():
            total[name] = total[name] + value if name in total else value
    return total


def _failed(run: Run) -> int:
    """Exit status of a run of pytest with these outcomes."""
    return int(any(case.outcome in BAD_OUTCOMES for case in run.cases.values()))
