"""`mig-conformance` and `python -m conformance`: the suite from any working directory, with pytest's options."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from conformance.pytest_plugin import PACKAGE, PLUGINS


def main(arguments: Iterable[str] | None = None) -> int:
    """Run all cases with the given options of pytest and of the suite; returns pytest's exit status.

    With `restore` as the first argument: put back what a run that was killed left, see `mig-conformance restore -h`.

    Settings and cases are those of the package, and cases have the same ids wherever it is installed. Reports and
    pytest's cache go into the current folder.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["restore"]:
        from conformance.suite.restore_command import main as restore

        status, lines = restore(given[1:])
        print(*lines, sep="\n", file=sys.stderr if status == 4 else sys.stdout)
        return status
    settings = [f"--config-file={PACKAGE / 'settings.toml'}", f"--rootdir={PACKAGE.parent}"]
    cache = f"--override-ini=cache_dir={Path('.pytest_cache').absolute()}"
    plugins = [f"-p{name}" for name in PLUGINS]
    return int(pytest.main([*settings, cache, *plugins, *given, str(PACKAGE / "cases")]))


if __name__ == "__main__":
    sys.exit(main())
