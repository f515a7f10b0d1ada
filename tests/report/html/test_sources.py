"""Citations become links, and nothing of their text is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from conformance.report.html.sources import linked


@pytest.mark.parametrize(
    ("source", "url"),
    [
        (
            "mig-parted v0.15.0, pkg/mig/reconfigure",
            "https://github.com/NVIDIA/mig-parted/tree/v0.15.0/pkg/mig/reconfigure",
        ),
        (
            "k8s-device-plugin v0.20.0, main.go, inotify",
            "https://github.com/NVIDIA/k8s-device-plugin/tree/v0.20.0/main.go",
        ),
        ("gpu-operator issue 2833; recorded", "https://github.com/NVIDIA/gpu-operator/issues/2833"),
        (
            "kubernetes v1.36, pkg/kubelet/cm",
            "https://github.com/kubernetes/kubernetes/tree/release-1.36/pkg/kubelet/cm",
        ),
        ("see https://docs.nvidia.com/mig (2026).", "https://docs.nvidia.com/mig"),
    ],
)
def test_citation_is_a_link(source: str, url: str) -> None:
    assert [part.url for part in linked(source) if part.url] == [url]


PIECES = (
    "mig-parted v0.15.0, ",
    "pkg/mig.go",
    "gpu-operator issue 12",
    "https://a.b/c",
    "; ",
    ".",
    ")",
    " and ",
    "issue",
)


@pytest.mark.parametrize(
    "source", ["runbook, What it is", "mig-parted v0.15.0, configuration format v1", "my/mig-parted issue 1"]
)
def test_what_is_no_file_or_issue_is_no_link(source: str) -> None:
    assert [part.url for part in linked(source)] == [""]


@given(some.lists(some.sampled_from(PIECES)).map("".join) | some.text())
def test_the_text_stays_the_same(source: str) -> None:
    assert "".join(part.text for part in linked(source)) == source
