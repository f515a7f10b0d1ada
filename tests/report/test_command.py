"""`mig-conformance report`: exit status, and which stream gets the lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.__main__ import main
from conformance.report.outputs import WRITERS
from conformance.report.validation import read_report
from tests.report.kinds import certified, known_cluster, not_certified


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "report.json"
    made.write_text(certified().model_dump_json(), encoding="utf-8")
    return made


def test_a_sound_report(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "validate", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: sound\n"


def test_every_problem_is_a_line_with_the_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"verdict":"certified"', '"verdict":"partial"'), encoding="utf-8")

    assert main(["report", "validate", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        f"{file}: verdict is partial, the outcomes make it certified",
        f"{file}: exit status is 0, but verdict partial is less than certified, which is required",
    ]
    assert said.err == ""


def test_a_truncated_report_is_a_problem(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(file.read_text(encoding="utf-8")[:-100], encoding="utf-8")

    assert main(["report", "validate", str(file)]) == 1
    assert "truncated" in capsys.readouterr().out


def test_a_file_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "validate", str(tmp_path / "none.json")]) == 4
    assert capsys.readouterr().err == f"ERROR: cannot open {tmp_path / 'none.json'}: No such file or directory\n"


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    made = tmp_path / "failed.json"
    made.write_text(not_certified().model_dump_json(), encoding="utf-8")
    return made


def test_compared_runs_say_whether_something_is_worse(
    file: Path, failed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "compare", str(file), str(failed)]) == 1
    assert "| D-06 | passed | failed ❌ |" in capsys.readouterr().out
    assert main(["report", "compare", "--format=json", str(failed), str(file)]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"]["new"] == "certified"


def test_a_broken_report_is_not_compared(file: Path, failed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed.write_text("{}", encoding="utf-8")

    assert main(["report", "compare", str(file), str(failed)]) == 4
    assert capsys.readouterr().err == f"ERROR: {failed}: no schema_version: this release reads 2\n"


def test_merged_runs_are_one_report_with_the_exit_status_of_its_verdict(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = known_cluster(certified()).model_dump_json()
    file.write_text(known, encoding="utf-8")
    out = tmp_path / "merged.json"

    assert main(["report", "merge", str(out), str(file), str(file)]) == 0
    assert capsys.readouterr().out == (f"mig-conformance: verdict=certified exit=0 requirements=13/28 report={out}\n")
    assert main(["report", "validate", str(out)]) == 0


def test_who_forgets_what_to_write_does_not_lose_the_first_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    for file in (one, two):
        report = known_cluster(certified()).model_copy(update={"run": file.stem})
        file.write_text(report.model_dump_json(), encoding="utf-8")
    before = one.read_text(encoding="utf-8")

    assert main(["report", "merge", str(one), str(two)]) == 4
    assert "is the report of run one, which is none of the runs to merge" in capsys.readouterr().err
    assert one.read_text(encoding="utf-8") == before

    out = tmp_path / "merged.json"
    assert main(["report", "merge", str(out), str(one), str(two)]) == 0
    assert main(["report", "merge", str(out), str(two)]) == 0, "a merged report may be made anew"


@pytest.mark.parametrize("command", ["merge", "render"])
def test_a_place_that_cannot_be_written_is_named_and_left_as_it_is(
    command: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(known_cluster(certified()).model_dump_json(), encoding="utf-8")
    taken = tmp_path / "taken"
    (taken / "index.html").mkdir(parents=True)

    assert main(["report", command, *map(str, (taken, file) if command == "merge" else (file, taken))]) == 4
    assert capsys.readouterr().err.startswith(f"ERROR: cannot write {taken}")
    assert [path.name for path in taken.iterdir()] == ["index.html"]


def test_runs_of_clusters_that_nobody_knows_are_not_merged(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "merge", str(tmp_path / "merged.json"), str(file)]) == 4
    assert "does not know its cluster" in capsys.readouterr().err
    assert not (tmp_path / "merged.json").exists()


def test_the_other_files_can_be_made_from_a_report(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "made" / "here"

    assert main(["report", "render", str(file), str(folder)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(folder / name) for name in WRITERS]
    assert (folder / "summary.md").read_text(encoding="utf-8") == WRITERS["summary.md"](read_report(file))


@pytest.mark.parametrize("arguments", [[], ["valuate"], ["validate"], ["compare", "one"]])
def test_a_command_that_does_not_exist(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", *arguments])

    assert ended.value.code == 4
    assert "see `mig-conformance report" in capsys.readouterr().err
