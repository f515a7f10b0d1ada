"""A run that meets GPUs which are kept busy from the host says who keeps them busy."""

from __future__ import annotations

import pytest

from tests.cases.matrix import certify, load


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("host-runs-dcgm", "nv-hostengine (DCGM) runs on the host"),
        ("host-runs-persistenced", "nvidia-persistenced runs on the node"),
    ],
)
def test_who_keeps_the_gpus_of_a_node_busy_is_in_the_finding(fault: str, named: str) -> None:
    report = certify(fault, load()[fault])

    findings = [
        case["finding"]
        for case in report["cases"]
        if case["outcome"] == "failed" and "test_offered_configuration_is_applied" in case["id"]
    ]
    assert findings
    assert all(any(named in line for line in finding["likely"]) for finding in findings)
