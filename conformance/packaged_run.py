"""A run of the packaged cases with the packaged settings, from any working directory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

PLUGINS: Final = (
    "conformance.report.plugin",
    "conformance.delivery.plugin",
    "conformance.fixtures.markers",
    "conformance.fixtures.options",
    "conformance.fixtures.case",
    "conformance.fixtures.selection",
    "conformance.fixtures.plugin",
)
"""The plug-ins of the suite, each before the modules that import it, so that pytest can rewrite their assertions."""
PACKAGE: Final = Path(__file__).resolve().parent


def run_cases(arguments: Iterable[str]) -> int:
    """Run all cases with the given options of pytest and of the suite; returns pytest's exit status.

    Settings and cases are those of the package, and cases have the same ids wherever it is installed. Reports and
    pytest's cache go into the current folder.
    """
    given = list(arguments)
    settings = [f"--config-file={PACKAGE / 'settings.toml'}", f"--rootdir={PACKAGE.parent}"]
    if not any("no:cacheprovider" in text for text in (*given, os.environ.get("PYTEST_ADDOPTS", ""))):
        settings.append(f"--override-ini=cache_dir={Path('.pytest_cache').absolute()}")
    plugins = [f"-p{name}" for name in PLUGINS]
    return int(pytest.main([*settings, *plugins, *given, str(PACKAGE / "cases")]))
