"""`mig-conformance` and `python -m conformance`: the suite from any working directory, with pytest's options."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from conformance.report.invocation import CASES

PROJECT = CASES.parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all cases with the given options of pytest and of the suite; returns pytest's exit status.

    The suite is run out of its checkout, an editable install: its manifests and settings lie beside the package.
    """
    settings = PROJECT / "pyproject.toml"
    if not settings.is_file():
        print(f"no {settings}: install the suite out of a checkout with `pip install -e .`", file=sys.stderr)
        return int(pytest.ExitCode.USAGE_ERROR)
    options = sys.argv[1:] if arguments is None else list(arguments)
    return int(pytest.main([f"--config-file={settings}", *options, str(CASES)]))


if __name__ == "__main__":
    sys.exit(main())
