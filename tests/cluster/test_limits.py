from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from conformance.cluster.errors import ClusterError
from conformance.cluster.limits import Limits, load_limits


@pytest.mark.parametrize(("name", "text"), [("l.yaml", "reconfigure: 60\n"), ("l.toml", "reconfigure = 60\n")])
def test_single_fields_are_overridden(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)

    assert load_limits(path) == dataclasses.replace(Limits(), reconfigure=60)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recon: 60", "unknown limit recon; there are: connect, request"),
        ("reconfigure: soon", "limit reconfigure must be a number of seconds above 0, not 'soon'"),
        ("reconfigure: true", "must be a number of seconds above 0, not True"),
        ("reconfigure: 0", "must be a number of seconds above 0, not 0"),
        ("- 1", "expected a mapping of limits to seconds, found list"),
        ("a: [", "line 1: expected the node content"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(text)

    with pytest.raises(ClusterError, match=re.escape(message)):
        load_limits(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="cannot read limits from"):
        load_limits(tmp_path / "none.yaml")


def test_every_limit_is_documented() -> None:
    documented = set(re.findall(r"^ {4}(\w+): ", inspect.getdoc(Limits) or "", re.MULTILINE))

    assert documented == {field.name for field in dataclasses.fields(Limits)}
