"""The pytest plug-in that delivers results: a word before the run, the rest after the report was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from conformance.backends.backend import READ_ONLY, BackendError
from conformance.backends.live import LiveBackend
from conformance.backends.names import LIVE
from conformance.cluster.connecting import connect
from conformance.cluster.errors import ClusterError
from conformance.delivery import archive, config_map, outcome
from conformance.delivery.options import DeliveryOptions, Destination, Kind
from conformance.flags import declare, read
from conformance.report.directory import REPORT_FILE, report_directory
from conformance.report.invocation import RUN, certifies
from conformance.report.model import Report
from conformance.suite.options import Options

_ASKED: Final = pytest.StashKey[DeliveryOptions]()
_BEGUN: Final = pytest.StashKey[DeliveryOptions]()
"""The same options, from the moment that a run has begun."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--results` and `--termination-log`."""
    declare(DeliveryOptions, parser.getgroup("conformance results").addoption)


def pytest_configure(config: pytest.Config) -> None:
    """Check the options before anything is touched.

    Raises:
        pytest.UsageError: A value is invalid, or the file of the termination message cannot be written.
    """
    if not certifies(config):
        return
    try:
        options = read(DeliveryOptions, vars(config.option))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    to_cluster = [place for place in options.results if place.kind is Kind.CONFIG_MAP]
    if to_cluster and config.getoption("cluster", None) != LIVE:
        raise pytest.UsageError(f"--results {to_cluster[0]} goes with --cluster {LIVE}: a simulated cluster goes away")
    if options.termination_log is not None:
        try:
            options.termination_log.write_text("", encoding="utf-8")
        except OSError as error:
            why = f"cannot write --termination-log {options.termination_log}: {error.strerror}; name a file in a folder"
            raise pytest.UsageError(f"{why} that exists and that this user may write to") from error
    config.stash[_ASKED] = options


def pytest_sessionstart(session: pytest.Session) -> None:
    """Replace what an earlier run left in a ConfigMap, so that nobody takes it for the result of this one.

    Raises:
        pytest.UsageError: The ConfigMap cannot be written; nothing was changed.
    """
    config = session.config
    options = config.stash.get(_ASKED, None)
    if options is None or RUN not in config.stash:  # cases are only shown
        return
    for place in options.results:
        if place.kind is Kind.CONFIG_MAP:
            try:
                _write(config, place, outcome.begun())
            except (BackendError, ClusterError) as error:
                raise pytest.UsageError(f"--results {place}: {error}") from error
    config.stash[_BEGUN] = options


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Deliver after all others: the report is written, and the summary printed.

    What does not arrive is told in the log and in the termination message. The exit status stays that of the verdict.
    """
    yield
    config = session.config
    options = config.stash.get(_BEGUN, None)
    if options is None or not (options.results or options.termination_log):
        return
    folder = report_directory(config)
    report = _report(folder)
    terminal = config.get_terminal_writer()
    problems = []
    for place in options.results:
        try:
            _deliver(config, place, report, folder, terminal.line)
        except (BackendError, ClusterError, OSError) as error:
            problems.append(f"results did not reach {place}: {error}")
            terminal.line(f"ERROR: {problems[-1]}", red=True)
    if options.termination_log is not None and report is not None:
        options.termination_log.write_text(outcome.message(report, problems), encoding="utf-8")


def _deliver(
    config: pytest.Config, place: Destination, report: Report | None, folder: Path, line: Callable[[str], None]
) -> None:
    match place.kind:
        case Kind.CONFIG_MAP:
            _write(config, place, outcome.ended(report, folder))
            line(f"results: {place}")
        case Kind.STDOUT:
            for text in archive.lines(folder):
                line(text)
        case Kind.SONOBUOY:
            line(f"results: {archive.hand_to_sonobuoy(folder)}")


def _write(config: pytest.Config, place: Destination, data: Mapping[str, str]) -> None:
    """Write to a ConfigMap of the cluster under test, over a connection of its own: that of the run is closed."""
    options = read(Options, vars(config.option))
    backend = LiveBackend(options.kubeconfig, options.context, READ_ONLY, options.limits)
    try:
        attachment = backend.start()
        with closing(connect(attachment.kubeconfig, attachment.context, options.limits)) as transport:
            config_map.write(transport, place.name, data)
    finally:
        backend.stop()


def _report(folder: Path) -> Report | None:
    """Read the report of this run; None if there is none. That of an earlier run was removed before."""
    try:
        return Report.model_validate_json((folder / REPORT_FILE).read_bytes())
    except OSError:
        return None
