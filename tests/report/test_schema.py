from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from conformance.report import schema
from conformance.report.model import Case, Outcome, Report
from tests.report.made import CORE, case, report_of, whole_run


def test_shipped_schema_is_that_of_the_models() -> None:
    """`python -m conformance.report` makes it so again."""
    assert schema.SCHEMA_FILE.read_text(encoding="utf-8") == schema.schema_text()


def test_the_program_writes_the_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema, "SCHEMA_FILE", tmp_path / "schema.json")

    runpy.run_path(str(Path(schema.__file__).with_name("__main__.py")), run_name="__main__")

    assert (tmp_path / "schema.json").read_text(encoding="utf-8") == schema.schema_text()
    assert str(tmp_path / "schema.json") in capsys.readouterr().out


def test_a_report_has_every_field_that_the_schema_promises() -> None:
    report = json.loads(report_of(whole_run()).model_dump_json())
    promised = json.loads(schema.schema_text())

    assert set(report) == set(promised["required"]) == set(promised["properties"])
    assert set(report["summary"]) == set(promised["$defs"]["Outcome"]["enum"])


def test_a_report_is_read_back_as_it_was_written() -> None:
    report = report_of(whole_run(case("test_a.py::test_a", Outcome.FAILED, CORE[0], reason="why")))

    assert Report.model_validate_json(report.model_dump_json()) == report


def test_a_reader_bears_fields_of_later_versions() -> None:
    """Fields are added while `schema_version` stays the same."""
    newer = case("test_a.py::test_a").model_dump() | {"colour": "green"}

    assert Case.model_validate(newer).id == newer["id"]
    assert "additionalProperties" not in json.loads(schema.schema_text())
