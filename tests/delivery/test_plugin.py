"""Whole runs: what they leave in a ConfigMap, in the log, for Sonobuoy and as a termination message."""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path

import pytest

from conformance.cluster import paths
from conformance.cluster.client import SUITE_NAMESPACE
from conformance.delivery import archive
from conformance.report.run import Run
from tests.cluster.stand import Stand
from tests.report.inner import Inner, StandIn

pytest_plugins = ["pytester"]

PASSES = """
import pytest

@pytest.mark.requirement("D-01")
def test_it(): pass
"""
FAILS = PASSES.replace("pass", "assert False")
NAME = "results"
MAP = paths.config_map(SUITE_NAMESPACE, NAME)


class Delivering:
    """Runs with the plug-ins of options and of delivery."""

    def __init__(self, inner: Inner) -> None:
        self.inner = inner

    def run(self, *arguments: str, case: str = PASSES, stand_in: StandIn | None = None) -> pytest.RunResult:
        self.inner.pytester.makepyfile(test_inner=case)
        plugins = ("-p", "conformance.fixtures.options", "-p", "conformance.delivery.plugin")
        return self.inner.run(*plugins, *arguments, stand_in=stand_in)


@pytest.fixture
def delivering(inner: Inner) -> Delivering:
    return Delivering(inner)


@pytest.fixture
def live(site: Stand) -> tuple[str, ...]:
    return ("--cluster=live", f"--kubeconfig={site.kubeconfig}", f"--results=configmap/{NAME}")


@pytest.fixture
def data(site: Stand) -> None:
    """The ConfigMap, with what an earlier run left in it."""
    earlier = {"verdict": "certified", "summary": "all is well", "note": "of somebody else"}
    site.hand.create(paths.config_maps(SUITE_NAMESPACE), {"metadata": {"name": NAME}, "data": earlier})


@pytest.mark.usefixtures("data")
def test_verdict_and_summary_reach_the_config_map(delivering: Delivering, live: tuple[str, ...], site: Stand) -> None:
    result = delivering.run(*live, case=FAILS)
    found = site.hand.get(MAP)["data"]

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert found["verdict"] == "not-certified"
    assert found["summary"].startswith("verdict ")
    assert found["note"] == "of somebody else"
    assert found["started"] <= found["ended"]
    result.stdout.fnmatch_lines([f"results: configmap/{NAME}"])


@pytest.mark.usefixtures("data")
def test_while_it_runs_nothing_of_an_earlier_run_is_left(
    delivering: Delivering, live: tuple[str, ...], site: Stand
) -> None:
    meanwhile = {}

    def look(_: Run) -> None:
        meanwhile.update(site.hand.get(MAP)["data"])

    delivering.run(*live, stand_in=StandIn(start=look))

    assert (meanwhile["verdict"], meanwhile["summary"]) == ("running", "")


@pytest.mark.usefixtures("data")
def test_a_run_that_could_not_begin_leaves_no_verdict(
    delivering: Delivering, live: tuple[str, ...], site: Stand
) -> None:
    def refuse(run: Run) -> None:
        run.backend = ""
        raise pytest.UsageError("no such context")

    result = delivering.run(*live, stand_in=StandIn(start=refuse))

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert site.hand.get(MAP)["data"]["verdict"] == "none"


def test_without_the_config_map_no_case_runs(delivering: Delivering, live: tuple[str, ...]) -> None:
    result = delivering.run(*live)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*create it with: kubectl create configmap {NAME} --namespace {SUITE_NAMESPACE}"])
    assert "test_inner" not in result.stdout.str()


@pytest.mark.usefixtures("data")
def test_results_that_do_not_arrive_are_told(
    delivering: Delivering, live: tuple[str, ...], site: Stand, tmp_path: Path
) -> None:
    file = tmp_path / "termination-log"
    stand_in = StandIn(start=lambda _: site.hand.delete(MAP))
    result = delivering.run(*live, f"--termination-log={file}", stand_in=stand_in)

    result.stdout.fnmatch_lines([f"ERROR: results did not reach configmap/{NAME}: there is no ConfigMap*"])
    assert f": results did not reach configmap/{NAME}: " in file.read_text(encoding="utf-8")


def test_a_config_map_of_a_simulated_cluster_is_refused(delivering: Delivering) -> None:
    result = delivering.run(f"--results=configmap/{NAME}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--results configmap/{NAME} goes with --cluster live*"])


@pytest.mark.usefixtures("data")
def test_who_only_lists_cases_writes_nothing(delivering: Delivering, live: tuple[str, ...], site: Stand) -> None:
    delivering.run(*live, "--collect-only", stand_in=StandIn())

    assert site.hand.get(MAP)["data"]["verdict"] == "certified"


def test_the_termination_message_is_the_verdict(delivering: Delivering, tmp_path: Path) -> None:
    file = tmp_path / "termination-log"
    delivering.run(f"--termination-log={file}", case=FAILS)

    assert file.read_text(encoding="utf-8").startswith("not-certified: ")


def test_a_termination_log_that_cannot_be_written_is_refused(delivering: Delivering, tmp_path: Path) -> None:
    result = delivering.run(f"--termination-log={tmp_path}/none/log")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*cannot write --termination-log *"])


def names(packed: bytes) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as content:
        return set(content.getnames())


def test_the_report_folder_can_be_taken_from_the_log(delivering: Delivering) -> None:
    lines = delivering.run("--results=stdout").stdout.lines
    begin, end = lines.index(archive.BEGIN), lines.index(archive.END)

    packed = base64.b64decode("".join(lines[begin + 1 : end]))
    assert {"reports/report.json", "reports/junit.xml"} <= names(packed)


def test_sonobuoy_finds_the_results(delivering: Delivering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(archive.SONOBUOY_VARIABLE, str(tmp_path / "results"))
    delivering.run("--results=sonobuoy", case=FAILS)

    done = Path((tmp_path / "results" / "done").read_text(encoding="utf-8"))
    assert {"reports/report.json", "reports/junit.xml"} <= names(done.read_bytes())
