"""The installed plug-in finds the suite from any folder, and is not there for other runs of pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conformance.packaged_run import PACKAGE, PLUGINS

pytest_plugins = ["pytester"]

ROOT = PACKAGE.parent


def called(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call pytest in a folder, as a person does."""
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def errors(ended: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in ended.stderr.splitlines() if line]


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """Of a server that does not answer."""
    content = {
        "apiVersion": "v1", "kind": "Config", "current-context": "x", "users": [],
        "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "x", "context": {"cluster": "x"}}],
    }  # fmt: skip
    file = tmp_path / "kube" / "config"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("checkout", [False, True])
def test_a_kubeconfig_is_no_test_path(joined: bool, checkout: bool, kubeconfig: Path, empty: Path) -> None:
    given = [f"--kubeconfig={kubeconfig}"] if joined else ["--kubeconfig", str(kubeconfig)]
    ended = called(ROOT if checkout else empty, "--cluster", "live", *given, "--report-dir", str(empty / "out"))

    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    (error,) = errors(ended)
    assert error.startswith("ERROR: the API server https://127.0.0.1:1 does not answer")
    assert "warning" not in ended.stdout
    assert sorted(path.name for path in kubeconfig.parent.iterdir()) == ["config"]


def test_a_checkout_without_the_packages_of_its_tests_is_enough(
    kubeconfig: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pytest takes the file for a test path, and then imports the conftest of the tests."""
    for name in ("hypothesis", "jsonschema", "selenium", "psutil"):
        (empty / f"{name}.py").write_text(f"raise ModuleNotFoundError('no module named {name}')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(empty))
    ended = called(ROOT, "-p", "no:hypothesispytest", "--cluster", "live", "--kubeconfig", str(kubeconfig))

    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    (error,) = errors(ended)
    assert error.startswith("ERROR: the API server https://127.0.0.1:1 does not answer")


def test_a_wrong_option_is_one_line(empty: Path) -> None:
    ended = called(empty, "--gpu-model", "voodoo-2")

    (error,) = errors(ended)
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert "h100-80gb-hbm3" in error


@pytest.mark.parametrize(("given", "variable"), [(["-p", "no:cacheprovider"], ""), ([], "-p no:cacheprovider")])
def test_a_run_without_a_cache_is_one(
    given: list[str], variable: str, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is the setting of a plug-in that is not there then, and an unknown setting is an error."""
    monkeypatch.setenv("PYTEST_ADDOPTS", variable)
    ended = called(empty, *given, "--plan", "--cluster", "simulated")

    assert (ended.returncode, ended.stderr) == (pytest.ExitCode.OK, "")
    assert not (empty / ".pytest_cache").exists()


@pytest.mark.parametrize("arguments", [[], ["-q"], ["--maxfail", "1"], ["test_mine.py"]])
def test_other_runs_do_not_load_the_suite(arguments: list[str], pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="""
        import sys

        LOADED = ["conformance.packaged_run", "conformance.pytest_plugin"]

        def test_mine():
            assert "conformance.pytest_plugin" in sys.modules
            assert [name for name in sys.modules if name.startswith("conformance.")] == LOADED
        """
    )

    pytester.runpytest_subprocess(*arguments).assert_outcomes(passed=1)


def test_a_project_may_have_an_option_of_the_same_name(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]")
    pytester.makeconftest("def pytest_addoption(parser): parser.addoption('--node')")
    pytester.makepyfile(test_mine="def test_mine(pytestconfig): assert pytestconfig.getoption('--node') == 'mine'")

    pytester.runpytest_subprocess("--node", "mine").assert_outcomes(passed=1)


def test_an_option_that_nobody_has_is_refused_by_pytest(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--no-such-option")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "unrecognized arguments: --no-such-option" in result.stderr.str()


def test_a_path_that_was_given_is_what_is_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine="def test_mine(pytestconfig): assert pytestconfig.getoption('--node') == ['a']")

    pytester.runpytest_subprocess("test_mine.py", "--node", "a").assert_outcomes(passed=1)


def test_plug_ins_that_were_asked_for_by_name_are_all(pytester: pytest.Pytester) -> None:
    config = pytester.parseconfig("-p", "conformance.fixtures.options", "--node", "a")

    assert [name for name in PLUGINS if config.pluginmanager.has_plugin(name)] == ["conformance.fixtures.options"]


def test_plug_ins_are_there_once(pytester: pytest.Pytester) -> None:
    """Through the entry point and through a conftest."""
    pytester.makeconftest(f"pytest_plugins = {PLUGINS}")
    config = pytester.parseconfig("--node", "a")

    for name in (*PLUGINS, "conformance.pytest_plugin"):
        plugin = config.pluginmanager.get_plugin(name)
        assert [found for found, each in config.pluginmanager.list_name_plugin() if each is plugin] == [name]
