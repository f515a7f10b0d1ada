"""Which ways of calling pytest ask for conformance cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.report.invocation import CASES, asked_paths, case_files, certifies

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]


def certifies_from(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, directory: Path, *args: str) -> bool:
    monkeypatch.chdir(directory)
    return certifies(pytester.parseconfig(*args))


@pytest.mark.parametrize(
    ("directory", "args", "expected"),
    [
        (".", ["conformance/cases"], True),
        (".", ["."], True),
        (".", ["conformance"], True),
        (".", ["conformance/cases/test_state.py::test_x[mixed-a::b]"], True),
        (".", ["tests", "conformance/cases/test_state.py"], True),
        (".", [str(CASES / "test_state.py")], True),
        (".", ["tests"], False),
        (".", ["tests/report/test_run.py::test_y"], False),
        (".", ["conformance/expect"], False),
        ("tests", ["."], False),
        ("tests", [], False),
        ("tests", ["../conformance/cases"], True),
        ("conformance", [], True),
        ("conformance/cases", ["test_state.py"], True),
        ("conformance/expect", [], False),
        ("/", [str(ROOT)], True),
        (".", ["--pyargs", "conformance.cases"], True),
        (".", ["--pyargs", "conformance.cases.test_state::test_x"], True),
        (".", ["--pyargs", "conformance.expect"], False),
        (".", ["--pyargs", "conformance/cases"], True),
        (".", ["--pyargs", "tests", "no.such.package"], False),
    ],
)
def test_what_asks_for_conformance_cases(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, directory: str, args: list[str], expected: bool
) -> None:
    assert certifies_from(pytester, monkeypatch, ROOT / directory, *args) is expected


def test_without_arguments_the_configured_cases_are_asked_for(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)

    assert asked_paths(pytester.parseconfig()) == [CASES]


def test_a_link_to_the_project_leads_to_the_same_cases(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = pytester.path / "link"
    link.symlink_to(ROOT)

    assert certifies_from(pytester, monkeypatch, pytester.path, "link/conformance/cases")


def test_case_files_are_those_of_the_suite() -> None:
    assert case_files() == {path for path in CASES.iterdir() if path.name.startswith("test_")}
    assert case_files()
