"""One case as Allure shows it: title, parameters, labels, links, description and steps."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from allure_commons.model2 import Label, Link, Parameter, Status, StatusDetails, TestResult, TestStepResult
from allure_commons.types import LabelType, LinkType, Severity

from conformance.report.links import source_links
from conformance.report.model import Case, CaseFunction, CauseClass, Outcome
from conformance.report.steps import Step
from conformance.spec.requirements import REQUIREMENTS

_NAMES: Final = {"gpu": "GPU", "gpus": "GPUs", "mig": "MIG", "uuid": "UUID", "uuids": "UUIDs"}
"""Words of function names that are written otherwise."""
_SEVERITIES: Final = {"core": Severity.CRITICAL, "extended": Severity.NORMAL}
_TIMELINE: Final = "\n  timeline "
"""How the timeline begins in the text of a `ConformanceError`; what is likely follows it."""
_TAGGED: Final = (Outcome.BLOCKED, Outcome.INCONCLUSIVE)
"""Outcomes that Allure does not know: it has `skipped` for them."""


def result_of(
    case: Case,
    function: CaseFunction | None,
    steps: Sequence[Step] = (),
    *,
    begun: float = 0.0,
    trace: str = "",
) -> Any:
    """Return Allure's result of a case; no attachments.

    Args:
        case: The case.
        function: Its rule; None for a test that is no conformance case.
        steps: What was done to its node.
        begun: When the case began, in seconds since the epoch.
        trace: Traceback of the error that ended it; empty for none.
    """
    module, _, name = case.id.partition("[")[0].rpartition("::")
    full_name = f"{'.'.join(PurePosixPath(module).with_suffix('').parts)}#{name}"
    place = _place(case)
    ended = begun + case.duration
    return TestResult(
        uuid=str(uuid.uuid4()),
        name=title_of(name),
        fullName=full_name,
        testCaseId=_digest(full_name),
        historyId=_digest(full_name, *place.values()),
        titlePath=[place[key] for key in ("strategy", "configuration", "node") if key in place],
        status=status_of(case),
        statusDetails=StatusDetails(message=message_of(case), trace=trace or None) if case.reason else None,
        description=_description(case, function),
        parameters=[Parameter(name=key, value=value) for key, value in place.items()],
        labels=[Label(name=key, value=value) for key, value in _labels(case, function, name, place)],
        links=[
            Link(type=LinkType.ISSUE if link.is_issue else LinkType.LINK, url=link.url, name=link.name)
            for link in source_links(
                *([function.source] if function else ()), *(REQUIREMENTS[it].source for it in case.requirements)
            )
        ],
        steps=[*map(_step, steps), _judgement(case, ended)],
        start=_milliseconds(begun),
        stop=_milliseconds(ended),
    )


def title_of(function: str) -> str:
    """Return the name of a test function as a sentence: `test_pod_gets_one_gpu` is `Pod gets one GPU`."""
    text = " ".join(_NAMES.get(word, word) for word in function.removeprefix("test_").split("_"))
    program = text.replace("nvidia smi", "nvidia-smi")
    return program if program.startswith("nvidia-smi") else program[:1].upper() + program[1:]


def status_of(case: Case) -> str:
    """Return Allure's status: `failed` is the product's fault, `broken` the suite's, `skipped` was not judged."""
    if case.outcome is Outcome.PASSED:
        return str(Status.PASSED)
    if case.cause is CauseClass.SUITE and case.outcome is not Outcome.BLOCKED:
        return str(Status.BROKEN)
    return str(Status.FAILED if case.outcome in (Outcome.FAILED, Outcome.ERROR) else Status.SKIPPED)


def message_of(case: Case) -> str:
    """Return why a case did not pass, without the timeline, whose ages differ: Allure groups cases by their message."""
    return case.reason.partition(_TIMELINE)[0]


def _place(case: Case) -> dict[str, str]:
    """Parameters of a case by name; empty for a test without a place."""
    if case.cell is None:
        return {}
    place = {"strategy": case.cell.strategy, "configuration": case.cell.configuration or "none", "node": case.node}
    before = {"before": f"{case.before.strategy}, {case.before.configuration}"} if case.before else {}
    return place | before


def _labels(
    case: Case, function: CaseFunction | None, name: str, place: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for requirement in case.requirements:
        yield LabelType.TAG, requirement
        yield LabelType.FEATURE, f"{requirement} {REQUIREMENTS[requirement].title}"
    if case.outcome in _TAGGED:
        yield LabelType.TAG, case.outcome.value
    if case.cause is not None:
        yield "cause", case.cause.value
    if function is not None:
        yield LabelType.EPIC, function.level
        yield LabelType.SEVERITY, _SEVERITIES[function.level].value
        yield "scenario", function.scenario
    yield LabelType.STORY, title_of(name)
    suites = zip((LabelType.PARENT_SUITE, LabelType.SUITE, LabelType.SUB_SUITE), place.values(), strict=False)
    yield from suites
    yield LabelType.FRAMEWORK, "pytest"
    yield LabelType.LANGUAGE, "python"


def _description(case: Case, function: CaseFunction | None) -> str:
    """Return the rule and what to do next, in Markdown."""
    lines = [function.statement, "", f"Source: {function.source}", ""] if function else []
    for name in case.requirements:
        row = REQUIREMENTS[name]
        lines += [f"- **{row.id} {row.title}** ({row.level}): {row.statement}"]
    if case.finding and case.finding.likely:
        lines += ["", "**Likely**", "", *(f"- {cause}" for cause in case.finding.likely)]
    if case.next_steps:
        lines += ["", "**Look at next**", "", *(f"- {step}" for step in case.next_steps)]
    return "\n".join(lines)


def _judgement(case: Case, ended: float) -> Any:
    """Return the last step: what the suite made of the evidence."""
    compared = case.outcome in (Outcome.PASSED, Outcome.FAILED)
    return TestStepResult(
        name="Compare the evidence with what must hold" if compared else f"Not judged: {case.outcome}",
        status=status_of(case),
        statusDetails=StatusDetails(message=message_of(case)) if case.reason else None,
        start=_milliseconds(ended),
        stop=_milliseconds(ended),
    )


def _step(step: Step) -> Any:
    return TestStepResult(
        name=step.title,
        status=Status.PASSED,
        start=_milliseconds(step.begun),
        stop=_milliseconds(max(step.begun, step.ended)),
        steps=[_step(one) for one in step.steps],
    )


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
