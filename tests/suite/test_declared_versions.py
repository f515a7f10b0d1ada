"""The file of `--declared-versions`."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cluster.errors import ClusterError
from conformance.expect.versions import Declared
from conformance.suite.declared_versions import load_declared


@pytest.mark.parametrize("text", ["gfd: {version: v1}", "kind: ClusterPolicy\nspec: {gfd: {version: v1}}"])
def test_helm_values_and_a_cluster_policy_are_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(text, encoding="utf-8")

    assert load_declared(tmp_path / "values.yaml") == {"gfd": Declared(version="v1")}


@pytest.mark.parametrize("text", ["", "[]", "gfd: v1", "mig: {strategy: single}"])
def test_a_file_that_declares_nothing_says_what_is_expected(text: str, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(ClusterError, match="declares no version: expected Helm values"):
        load_declared(tmp_path / "values.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"cannot read declared versions from .*absent\.yaml"):
        load_declared(tmp_path / "absent.yaml")
