"""Sources that lie in a public repository are links, each once; others are none."""

from __future__ import annotations

import pytest

from conformance.report.links import SourceLink, source_links

NVIDIA = "https://github.com/NVIDIA"
PLUGIN = "k8s-device-plugin v0.20.0, internal/rm"


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["runbook, What it is"], []),
        (
            ["runbook, Failure modes; mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go."],
            [
                SourceLink(
                    "mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go",
                    f"{NVIDIA}/mig-parted/tree/v0.15.0/pkg/mig/reconfigure/reconfigure.go",
                )
            ],
        ),
        (
            [PLUGIN, f"{PLUGIN}; gpu-operator issue 262"],
            [
                SourceLink(PLUGIN, f"{NVIDIA}/k8s-device-plugin/tree/v0.20.0/internal/rm"),
                SourceLink("gpu-operator issue 262", f"{NVIDIA}/gpu-operator/issues/262", is_issue=True),
            ],
        ),
        (
            ["kubernetes v1.36, pkg/kubelet; kubernetes issue 92396"],
            [
                SourceLink(
                    "kubernetes issue 92396", "https://github.com/kubernetes/kubernetes/issues/92396", is_issue=True
                )
            ],
        ),
    ],
)
def test_links(sources: list[str], expected: list[SourceLink]) -> None:
    assert source_links(*sources) == expected
