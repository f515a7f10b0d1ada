"""The installed pytest plug-in: `pytest --kubeconfig FILE` runs the suite from any folder.

pytest meets the suite's options before it knows them. It takes FILE for a test path, looks for its settings around it,
and misses the cases and the conftest (pytest 9, Config.parse). This module is loaded right after that. Where an option
of the suite was given, it loads the suite; where pytest then has neither a path nor the settings of the suite, it runs
the packaged cases with the packaged settings. For other runs of pytest it imports nothing.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from conformance.packaged_run import PACKAGE, PLUGINS, run_cases

_ASKED: Final = pytest.StashKey[bool]()


@pytest.hookimpl(trylast=True)
def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Load the plug-ins of the suite, which declare its options, where one of these was given.

    Where plug-ins of the suite were asked for by name (`-p`), those are all.
    """
    config: Any = pluginmanager.get_plugin("pytestconfig")
    chosen = any(pluginmanager.has_plugin(name) for name in PLUGINS)
    if not chosen and not _is_anothers(config) and _asks_for_suite(parser, list(config.invocation_params.args)):
        config.stash[_ASKED] = True
        for name in PLUGINS:
            pluginmanager.import_plugin(name)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Run the packaged cases where an option of the suite was given, but no path, and its settings were not found."""
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    if named or not config.stash.get(_ASKED, False) or config.inipath == PACKAGE.parent / "pyproject.toml":
        return None
    return run_cases(config.invocation_params.args)


def _asks_for_suite(parser: pytest.Parser, arguments: list[str]) -> bool:
    """Whether an argument that pytest does not know is an option of the suite."""
    unknown = parser.parse_known_and_unknown_args(arguments)[1]
    given = {argument.partition("=")[0] for argument in unknown if argument.startswith("--")}
    if not given:
        return False
    pytest.register_assert_rewrite(*PLUGINS)
    from conformance.delivery.options import DeliveryOptions
    from conformance.fixtures.options import GROUPS
    from conformance.flags import flags
    from conformance.report.options import ReportOptions

    tables = (*GROUPS.values(), ReportOptions, DeliveryOptions)
    return bool(given & {name for table in tables for _, flag in flags(table, shared_only=True) for name in flag.names})


def _is_anothers(config: pytest.Config) -> bool:
    """Whether pytest was started in another project, which may have options of the same name."""
    started, settings = config.invocation_params.dir, getattr(config, "inipath", None)
    if settings is None or started.is_relative_to(PACKAGE.parent):
        return False
    return started.is_relative_to(settings.parent)
