"""Writes docs/catalogue.md: what is certified, by which cases, and which faults prove it.

    python tools/catalogue.py

Everything is read from the code: requirements, cases, scenarios and faults. What a case cannot say, why a requirement
has none, stands in untested.yaml beside this file.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import yaml

import conformance.cases
import conformance.suite.scenarios
from conformance.expect.kinds import EVERY_KIND, GeometryKind
from conformance.fixtures.case import CASE_MARK
from conformance.sim.faults import FAULTS, Fault
from conformance.spec.names import Strategy
from conformance.spec.requirements import REQUIREMENTS, Requirement
from conformance.suite.case import CaseDeclaration
from conformance.suite.cells import CERTIFIED_STRATEGIES, CellSelection
from conformance.suite.scenario import AnyScenario, Leaves, Moment, Needs, Scenario

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "catalogue.md"
UNTESTED: Final = Path(__file__).with_name("untested.yaml")
RED_CASES: Final = ROOT / "tests" / "cases" / "faults.yaml"
COMMAND: Final = "python tools/catalogue.py"

_MOMENTS: Final = {
    Moment.IN_CELL: "in the cell",
    Moment.WHEN_LEFT: "when the cell is left",
    Moment.AT_SWITCH: "at the switch of strategy",
    Moment.AT_END: "at the end of the run",
}
_SPENT: Final = "no time of its own"


class CatalogueError(Exception):
    """The code and the files that the page is made of contradict each other; the message says where."""


@dataclass(frozen=True)
class CaseEntry:
    """One case, with its rule and its place in the code.

    Attributes:
        declaration: What it declares.
        rule: The first sentence of its docstring, which says what MUST hold.
        path: Its file, relative to the project.
    """

    declaration: CaseDeclaration
    rule: str
    path: Path

    @property
    def name(self) -> str:
        """Name of its function."""
        return self.declaration.name


def find_cases() -> list[CaseEntry]:
    """All cases, by module and in the order in which they stand there."""
    return [entry for module in _modules(conformance.cases) for entry in _cases_of(module)]


def find_scenarios() -> list[AnyScenario]:
    """One object of every scenario that can be made, by name."""
    found = {
        thing
        for module in _modules(conformance.suite.scenarios)
        for thing in vars(module).values()
        if inspect.isclass(thing) and issubclass(thing, Scenario) and not inspect.isabstract(thing)
    }
    return sorted((scenario() for scenario in found), key=lambda scenario: scenario.name)


def red_cases() -> Mapping[str, Sequence[str]]:
    """Names of the cases that each fault turns red, by fault."""
    content = yaml.safe_load(RED_CASES.read_text(encoding="utf-8"))
    return {fault: row["red"] for fault, row in content.items()}


def untested_reasons() -> Mapping[str, str]:
    """Why a requirement has no case, by id."""
    content: Mapping[str, str] = yaml.safe_load(UNTESTED.read_text(encoding="utf-8")) or {}
    return content


def render() -> str:
    """The whole page.

    Raises:
        CatalogueError: A requirement has neither a case nor a reason, or both; a file names what does not exist.
    """
    cases, scenarios = find_cases(), find_scenarios()
    _check(cases)
    tested = [row for row in REQUIREMENTS.values() if _certifying(row, cases)]
    lines = [
        *_head(len(tested), len(cases), len(scenarios)),
        "## Requirements with cases",
        "",
        *(line for row in tested for line in _requirement(row, cases)),
        *_untested([row for row in REQUIREMENTS.values() if row not in tested]),
        *_scenarios(scenarios, cases),
        *_faults(),
    ]
    return "\n".join(lines).rstrip() + "\n"


# Finding -------------------------------------------------------------------------------------------------------------


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        yield importlib.import_module(f"{package.__name__}.{found.name}")


def _cases_of(module: ModuleType) -> Iterator[CaseEntry]:
    for function in vars(module).values():
        for mark in getattr(function, "pytestmark", ()):
            if mark.name == CASE_MARK:
                path = Path(str(module.__file__)).relative_to(ROOT)
                yield CaseEntry(mark.args[0], _rule(function), path)


def _rule(function: Callable[..., object]) -> str:
    paragraph = inspect.cleandoc(function.__doc__ or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


def _certifying(row: Requirement, cases: Iterable[CaseEntry]) -> list[CaseEntry]:
    return [case for case in cases if row.id in case.declaration.requirements]


def _check(cases: Sequence[CaseEntry]) -> None:
    reasons, red = untested_reasons(), red_cases()
    tested = {name for case in cases for name in case.declaration.requirements}
    file, names = UNTESTED.relative_to(ROOT), {case.name for case in cases}
    problems = [
        *(f"{name} has a case now: take it out of {file}" for name in sorted(tested & reasons.keys())),
        *(f"{name} has no case: say why in {file}" for name in REQUIREMENTS if name not in tested | reasons.keys()),
        *(f"{file}: there is no requirement {name}" for name in sorted(reasons.keys() - REQUIREMENTS.keys())),
        *(f"tests/cases/faults.yaml lacks {fault.name}" for fault in FAULTS if fault.name not in red),
        *(
            f"tests/cases/faults.yaml, {fault}: there is no case {case}"
            for fault, listed in red.items()
            for case in listed
            if case not in names
        ),
    ]
    if problems:
        raise CatalogueError("\n".join(problems))


# Writing -------------------------------------------------------------------------------------------------------------


def _head(tested: int, cases: int, scenarios: int) -> Iterator[str]:
    yield "<!-- Generated. Do not edit; run the command below. -->"
    yield ""
    yield "# Catalogue"
    yield ""
    yield f"What the suite certifies, and what proves that it would notice. Generated from the code by `{COMMAND}`;"
    yield "`tests/docs/test_catalogue.py` fails while this page is behind the code. Words are explained in the"
    yield "[glossary](glossary.md)."
    yield ""
    yield f"{tested} of {len(REQUIREMENTS)} requirements have cases. There are {cases} cases, {scenarios} scenarios and"
    yield f"{len(FAULTS)} faults."
    yield ""


def _untested(rows: Sequence[Requirement]) -> Iterator[str]:
    yield "## Requirements without a case"
    yield ""
    if all(row.level == "extended" for row in rows):
        yield "The report lists them as `untested`. All are `extended`: none stands in the way of a certificate."
    else:
        yield "The report lists them as `untested`. Those that are `core` stand in the way of a certificate."
    yield ""
    yield from _table(
        ("requirement", "level", "what must hold", "why there is no case"),
        ((f"{row.id} {row.title}", f"`{row.level}`", row.statement, untested_reasons()[row.id]) for row in rows),
    )


def _scenarios(scenarios: Sequence[AnyScenario], cases: Sequence[CaseEntry]) -> Iterator[str]:
    yield "## Scenarios"
    yield ""
    yield "A scenario is done once in a cell, on all nodes that take part; its cases share the evidence. The cost is"
    yield "real time on a live cluster, beside what other scenarios of the cell take at the same time."
    yield ""
    head = (
        "scenario",
        "what it does",
        "effect",
        "evidence is complete",
        "needs",
        "leaves the node in",
        "cost",
        "cases",
    )
    yield from _table(head, (_scenario(scenario, cases) for scenario in scenarios))


def _faults() -> Iterator[str]:
    red = red_cases()
    yield "## Faults"
    yield ""
    yield "A fault is a defect of the simulated cluster. Each turns exactly the cases of the last column red, which"
    yield "`tests/cases/test_faults.py` proves with one run a fault. Switch one on with `--fault NAME`."
    yield ""
    yield from _table(
        ("fault", "component", "what an observer sees", "requirements", "source", "cases that turn red"),
        (_fault(fault, red[fault.name]) for fault in FAULTS),
    )


def _requirement(row: Requirement, cases: Sequence[CaseEntry]) -> Iterator[str]:
    yield f"### {row.id} {row.title}"
    yield ""
    yield f"{row.statement}"
    yield ""
    yield f"Level: `{row.level}`. Source: {row.source}."
    yield ""
    yield from _table(
        ("case", "rule", "cells", "scenario", "effect", "faults that turn it red"),
        (_case(case) for case in _certifying(row, cases)),
    )


def _case(case: CaseEntry) -> tuple[str, ...]:
    declaration = case.declaration
    scenario = declaration.scenario
    return (
        f"[`{case.name}`](../{case.path.as_posix()})",
        case.rule,
        "; ".join(filter(None, (_cells(declaration.cells), _needs(declaration.needs)))),
        f"`{scenario.name}`",
        f"`{scenario.effect}`",
        _names(fault for fault, red in red_cases().items() if case.name in red) or "none",
    )


def _scenario(scenario: AnyScenario, cases: Sequence[CaseEntry]) -> tuple[str, ...]:
    path = Path(inspect.getfile(type(scenario))).relative_to(ROOT)
    return (
        f"[`{scenario.name}`](../{path.as_posix()})",
        scenario.summary,
        f"`{scenario.effect}`",
        _MOMENTS[scenario.moment],
        "; ".join(filter(None, (_needs(scenario.needs), "the node for itself" if scenario.exclusive else "")))
        or "nothing",
        _leaves(scenario.leaves),
        f"{scenario.cost:g} s" if scenario.cost else _SPENT,
        _names(case.name for case in cases if type(case.declaration.scenario) is type(scenario)) or "none",
    )


def _fault(fault: Fault, red: Iterable[str]) -> tuple[str, ...]:
    violated = ", ".join(fault.requirements)
    return (f"`{fault.name}`", f"`{fault.component}`", fault.breaks, violated, fault.source, _names(red))


def _cells(cells: CellSelection) -> str:
    both = cells.strategies == CERTIFIED_STRATEGIES
    strategies = "both strategies" if both else "only " + _names(cells.strategies)
    kinds = "every kind" if set(cells.kinds) == set(EVERY_KIND) else "kinds " + _names(cells.kinds)
    instead = f", or {_pair(Strategy.MIXED, cells.instead)} where there is none" if cells.instead else ""
    return f"{strategies}, {kinds}{instead}" + "".join(f", not {_pair(*pair)}" for pair in sorted(cells.exclude))


def _pair(strategy: Strategy, kind: GeometryKind) -> str:
    return f"`{kind}` under `{strategy}`"


def _needs(needs: Needs) -> str:
    said = [
        f"{needs.devices} free device{'s' if needs.devices > 1 else ''} of a resource" if needs.devices else "",
        "two devices of a resource on one GPU" if needs.neighbours else "",
        f"{needs.configurations} configurations" if needs.configurations > 1 else "",
        f"{needs.gpus} GPUs" if needs.gpus > 1 else "",
        f"compute capability {', '.join(map(str, needs.generations))}" if needs.generations else "",
        "a mig-parted ConfigMap of the user's own" if needs.custom_configuration else "",
        "an operator from v26.7.0" if needs.operator_ignores_removal else "",
        "the operator's pod" if needs.operator_pod else "",
        "Node Feature Discovery in the operator's namespace" if needs.feature_discovery_pods else "",
        "another node, without MIG" if needs.node_without_mig else "",
        "the simulator" if needs.simulator else "",
    ]
    return ", ".join(filter(None, said))


def _leaves(leaves: Leaves) -> str:
    return "the same cell" if leaves.same_cell else "another cell"


def _names(names: Iterable[Any]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
