"""Writes Allure's results: one file for each case, and what Allure needs beside them.

allure-pytest's own listener is left aside. It shows function names and Python objects, and writes a second file for
each case, about its fixtures: 70,000 files for a run that reads 1,000 nodes.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pytest
from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import Attachment

from conformance.report.allure_case import result_of
from conformance.report.causes import blocker_of, explained
from conformance.report.model import Case
from conformance.report.observations import Evidence
from conformance.report.run import Run

ENVIRONMENT_FILE: Final = "environment.properties"
CATEGORIES_FILE: Final = "categories.json"
CONFIGURATION_FILE: Final = "allurerc.json"
"""Beside the folder of the results; Allure 3 looks for it in the current folder."""
HISTORY_FILE: Final = "allure-history.jsonl"
"""Where Allure 3 keeps earlier runs, beside the folder of the results."""
CATEGORIES: Final = (
    {"name": "Product: the cluster does not do what must hold", "matchedStatuses": ["failed"]},
    {"name": "Suite: a mistake of this suite", "matchedStatuses": ["broken"]},
    {
        "name": "Environment: the suite could not judge",
        "matchedStatuses": ["skipped"],
        "messageRegex": r"^inconclusive: [\s\S]*",
    },
    {
        "name": "Blocked: another case reports the reason",
        "matchedStatuses": ["skipped"],
        "messageRegex": r"^blocked by [\s\S]*",
    },
)
"""How Allure sorts what did not pass. The first that matches counts; Allure 2 matches the whole message."""
_FROM_ALLURE_2: Final = Path("allure-report", "history")
"""Where `allure generate` of Allure 2 leaves the history, beside the folder of the results."""

_logger: Final[Callable[..., Any]] = AllureFileLogger
"""Allure does not type this class."""


class AllureResults:
    """Plug-in that writes a result when a case has ended.

    Args:
        folder: Where results go; made if it does not exist.
        run: The record of the run.
        own: Whether it is the folder of the suite: then what is there is removed first, and Allure 3 gets its
            configuration beside it. In a folder of the user's choice results are added.
        clean: Whether to remove what is there all the same.
    """

    def __init__(self, folder: Path, run: Run, *, own: bool, clean: bool = False) -> None:
        self._folder = folder
        self._own = own
        self._run = run
        self._clean = own or clean
        self._attached: dict[str, list[Any]] = {}
        self._begun = 0.0
        self._trace = ""
        self._problem: OSError | None = None

    @cached_property
    def _files(self) -> Any:
        """What writes the files. Made with the first of them: a run that does not begin leaves the former ones."""
        return _logger(str(self._folder), self._clean)

    def pytest_runtest_logstart(self) -> None:
        """Note when the case begins."""
        self._begun, self._trace = time.time(), ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the traceback of the first phase that failed."""
        if report.failed and not self._trace:
            self._trace = report.longreprtext

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Write the result of the case. One that was interrupted has none.

        If it cannot be written, the run goes on, and `finish` says so.
        """
        case = self._run.cases.get(nodeid)
        if case is None or self._problem is not None:
            return
        try:
            self._write(nodeid, case)
        except OSError as error:
            self._problem = error

    def _write(self, nodeid: str, case: Case) -> None:
        function = self._run.functions.get(case.function)
        steps = self._run.steps(nodeid)
        result = result_of(self._explained(case), function, steps, begun=self._begun, trace=self._trace)
        result.attachments = self._evidence_of(nodeid)
        self._files.report_result(result)

    def finish(self, facts: Mapping[str, str]) -> None:
        """Write the environment, the categories and the configuration, and hand on the history of Allure 2.

        Args:
            facts: What Allure shows in its box "Environment". Names take no `=`, `:` or blank, which the Java
                properties format would read otherwise.

        Raises:
            OSError: Something cannot be written, or could not be after a case.
        """
        if self._problem is not None:
            raise self._problem
        lines = [f"{name}={value}\n" for name, value in facts.items()]
        self._files.report_attached_data("".join(lines).encode("ascii", errors="replace"), ENVIRONMENT_FILE)
        _write_json(self._folder / CATEGORIES_FILE, CATEGORIES)
        if not self._own:
            return
        settings = {"name": "MIG conformance", "historyPath": HISTORY_FILE, "categories": CATEGORIES}
        _write_json(self._folder.parent / CONFIGURATION_FILE, settings)
        if (earlier := self._folder.parent / _FROM_ALLURE_2).is_dir():
            shutil.copytree(earlier, self._folder / "history", dirs_exist_ok=True)

    def _explained(self, case: Case) -> Case:
        """Return a case with its next steps; for those of a blocked case, the case that blocks it is needed."""
        blocker = self._run.cases.get(blocker_of(case) or "")
        return explained([*([blocker] if blocker else []), case], self._run.operator_namespace)[-1]

    def _evidence_of(self, nodeid: str) -> list[Any]:
        """Return the evidence of a case as attachments; cases that share it share the files."""
        key = self._run.evidence_of.get(nodeid, "")
        if key in self._run.evidence and key not in self._attached:
            texts = texts_of(self._run.evidence[key])
            self._attached[key] = [self._attachment(title, text) for title, text in texts.items()]
        return self._attached.get(key, [])

    def _attachment(self, title: str, text: str) -> Any:
        name = f"{uuid.uuid4()}-attachment.txt"
        self._files.report_attached_data(text, name)
        return Attachment(name=title, source=name, type="text/plain")


def texts_of(evidence: Evidence) -> dict[str, str]:
    """Return evidence as texts by title, without empty ones."""
    lines: dict[str, Iterable[str]] = {
        f"timeline of {evidence.node}": (f"{entry.time:10.3f}  {entry.change}" for entry in evidence.timeline),
        **{f"log of {log.pod} {log.container}".rstrip(): log.lines for log in evidence.logs},
        "events": evidence.events,
        "pods": (f"{pod.name}: {pod.phase}, ready: {pod.ready}, {pod.reason}".rstrip(", ") for pod in evidence.pods),
        "what could not be read": evidence.missing,
    }
    texts = {title: "\n".join(found) for title, found in lines.items()}
    return {title: text for title, text in texts.items() if text}


def _write_json(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
