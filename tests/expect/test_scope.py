"""D-10, D-11: nodes without MIG, and what a node needs for MIG."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.expect.finding import ConformanceError
from conformance.expect.scope import OtherNode, Prerequisites, check_left_alone, check_prerequisites
from tests.expect.made import context

ALONE = OtherNode("t4", {"nvidia.com/mig.capable": "false", "nvidia.com/gpu.present": "true"}, (), ())
READY = Prerequisites(
    policies=("cluster-policy",),
    manager_enabled=None,
    operands={"nvidia-mig-manager": "Ready", "gpu-feature-discovery": "Ready"},
    warnings={"nvidia-mig-manager": ["Unhealthy: Readiness probe failed"]},
    driver="580.159.04",
    labels={
        "nvidia.com/mig.config.state": "success",
        "nvidia.com/gpu.deploy.dcgm": "true",
        "nvidia.com/gpu.compute.major": "9",
    },
)


def test_a_node_that_nobody_touched_is_right() -> None:
    check_left_alone(context(), [ALONE, replace(ALONE, name="cpu", labels={})])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(ALONE, labels={"nvidia.com/mig.capable": "true"}), r"t4: nvidia.com/mig\.capable=true"),
        (replace(ALONE, labels={"nvidia.com/gpu.deploy.mig-manager": "true"}), r"t4: nvidia.com/gpu\.deploy"),
        (replace(ALONE, labels={"nvidia.com/mig.config": "all-disabled"}), r"t4: nvidia.com/mig\.config=all-disabled"),
        (replace(ALONE, labels={"nvidia.com/mig.config.state": "failed"}), r"t4: nvidia.com/mig\.config\.state=failed"),
        (replace(ALONE, managers=("nvidia-mig-manager-x",)), "pod nvidia-mig-manager-x"),
        (replace(ALONE, states=("pending",)), "was pending"),
    ],
)
def test_whatever_was_done_to_a_node_without_mig_is_found(other: OtherNode, message: str) -> None:
    with pytest.raises(ConformanceError, match=message):
        check_left_alone(context(), [ALONE, other])


def test_a_node_with_everything_that_mig_needs_is_right() -> None:
    check_prerequisites(context(), READY)
    check_prerequisites(context(), replace(READY, driver=""))
    check_prerequisites(context(), replace(READY, labels={}, driver="470.57.02"))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (replace(READY, policies=("a", "b")), "2 ClusterPolicies: a, b"),
        (replace(READY, manager_enabled=False), r"migManager\.enabled is false"),
        (replace(READY, operands={"nvidia-mig-manager": "CrashLoopBackOff"}), "nvidia-mig-manager: CrashLoopBackOff"),
        (
            replace(
                READY, operands={"nvidia-mig-manager": "no pod"}, warnings={"nvidia-mig-manager": ["Unhealthy: x"]}
            ),
            "nvidia-mig-manager: no pod; Event Unhealthy: x",
        ),
        (
            replace(READY, warnings={"nvidia-mig-manager": ["FailedMount: no such ConfigMap"]}),
            "nvidia-mig-manager: Ready; Event FailedMount: no such ConfigMap",
        ),
        (replace(READY, labels={"nvidia.com/gpu.deploy.dcgm": "paused-for-mig-change"}), "did not finish"),
        (replace(READY, labels={"nvidia.com/mig.config.state": "pending"}), "did not finish"),
        (replace(READY, driver="470.57.02"), r"have MIG from driver 525\.53 on"),
    ],
)
def test_what_is_missing_is_named(found: Prerequisites, message: str) -> None:
    with pytest.raises(ConformanceError, match=message):
        check_prerequisites(context(), found)


def test_older_generation_needs_an_older_driver() -> None:
    ampere = {"nvidia.com/gpu.compute.major": "8"}
    check_prerequisites(context(), replace(READY, labels=ampere, driver="470.57.02"))
