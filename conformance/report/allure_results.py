"""Adds the requirements of each case and the environment of the run to the Allure results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import allure
import pytest

from conformance.report.collector import requirements_of
from conformance.spec.requirements import REQUIREMENTS

ENVIRONMENT_FILE: Final = "environment.properties"
_label: Final[Callable[..., None]] = allure.dynamic.label
"""Allure does not type this function."""


class AllureLabels:
    """Plug-in that files each case under its requirements: a tag for the id, a feature for Allure's tree."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Label the case before its fixtures run, so that a case with a broken set-up has labels too."""
        names = requirements_of(item)
        _label("tag", *names)
        _label("feature", *(f"{name} {REQUIREMENTS[name].title}" for name in names))


def tag_with(*words: str) -> None:
    """Tag the running case."""
    _label("tag", *words)


def write_environment(folder: Path, facts: Mapping[str, str]) -> None:
    """Write what Allure shows in its box "Environment".

    Args:
        folder: Allure's results; made when no case ran and Allure has not made it.
        facts: Value by name. Names take no `=`, `:` or blank, which the Java properties format would read otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name}={value}\n" for name, value in facts.items()]
    (folder / ENVIRONMENT_FILE).write_text("".join(lines), encoding="ascii", errors="replace")
