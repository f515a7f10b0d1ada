"""What the findings of preflight mean for a run."""

from __future__ import annotations

import pytest

from conformance.backends.backend import EVERYTHING, READ_ONLY
from conformance.cluster.errors import ClusterError, UnreachableError
from conformance.operations.rights import Level
from conformance.preflight.finding import PreflightFinding, Severity
from conformance.suite.preflight import explaining, levels_of, pods_to_try, unmanaged


def finding(name: str, *objects: str, severity: Severity = Severity.BLOCKS) -> PreflightFinding:
    return PreflightFinding(name, severity, objects, "it is so", (), "change it")


def test_mig_manager_that_is_off_leaves_its_nodes_unmanaged() -> None:
    everywhere = finding("manager-off", "ClusterPolicy cluster-policy")

    assert unmanaged([everywhere], ["a", "b"]) == {"a": "it is so", "b": "it is so"}
    assert unmanaged([finding("manager-off", "node b"), finding("failed", "node a")], ["a", "b"]) == {"b": "it is so"}


def test_a_run_that_cannot_begin_says_what_blocks_it_in_one_line() -> None:
    found = [finding("no-mig-node", "cluster"), finding("cordoned", "node a", severity=Severity.WARNS)]
    with pytest.raises(ClusterError) as raised, explaining(found):
        raise ClusterError("no MIG-capable node")
    assert str(raised.value) == "no MIG-capable node. Preflight: cluster: it is so; change it"


@pytest.mark.parametrize(
    ("error", "found"),
    [(ClusterError("no"), []), (UnreachableError("gone"), [finding("failed", "node a")])],
)
def test_an_error_that_preflight_does_not_explain_stays_as_it_is(
    error: ClusterError, found: list[PreflightFinding]
) -> None:
    with pytest.raises(ClusterError) as raised, explaining(found):
        raise error
    assert raised.value is error


def test_levels_follow_from_what_is_allowed() -> None:
    assert levels_of(READ_ONLY) == {Level.READ}
    assert levels_of(EVERYTHING, publish=True) == set(Level) - {Level.UNPUBLISH}


def test_pods_that_are_tried_are_those_of_the_suite() -> None:
    assert "host-command" not in pods_to_try("python:3")
    pods = pods_to_try("python:3", reboot=True)

    assert pods["host-command"]["spec"]["containers"][0]["securityContext"]["privileged"]
    assert pods["slice-user"]["spec"]["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": "1"}}
    assert {pod["spec"]["containers"][0]["image"] for pod in pods.values()} == {"python:3"}
