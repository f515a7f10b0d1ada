"""D-08: operands and GPUs after a change of the strategy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.expect.finding import ConformanceError
from conformance.expect.observed import ObservedGpu
from conformance.expect.strategy import OperandRoll, check_rolled, check_same_gpus, uuids_of
from tests.expect.made import SEVEN, context, gpu

GOOD = OperandRoll("nvidia-device-plugin-daemonset", "mixed", "old", ("new",), ready=True)


def test_one_new_pod_with_the_new_strategy_is_right() -> None:
    check_rolled(context(), [GOOD], "mixed")
    check_rolled(context(), [replace(GOOD, setting="")], "")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (replace(GOOD, setting="single"), "the operator did not update DaemonSet nvidia-device-plugin-daemonset"),
        (replace(GOOD, setting=""), "MIG_STRATEGY unset"),
        (replace(GOOD, after=("old",)), "1 pods, the old pod, Ready"),
        (replace(GOOD, after=("old", "new")), "2 pods, the old pod"),
        (replace(GOOD, after=()), "no pod"),
        (replace(GOOD, ready=False), "not Ready"),
    ],
)
def test_an_operand_that_did_not_follow_is_named(wrong: OperandRoll, message: str) -> None:
    with pytest.raises(ConformanceError, match=message):
        check_rolled(context(), [replace(GOOD, operand="other"), wrong], "mixed")


def test_a_node_without_operands_is_a_finding() -> None:
    with pytest.raises(ConformanceError, match="operands that carry the strategy"):
        check_rolled(context(), [], "mixed")


def test_pods_are_not_compared_where_the_plugin_must_end() -> None:
    check_rolled(context(), [replace(GOOD, ready=False)], "mixed", refused="more than one MIG device type")


def test_same_devices_are_the_same_in_any_order_of_nvml() -> None:
    full = gpu(SEVEN)

    check_same_gpus(context(), uuids_of([full]), uuids_of([replace(full, instances=full.instances[::-1])]))


@pytest.mark.parametrize(
    "after",
    [
        replace(gpu(SEVEN), instances=gpu(SEVEN).instances[1:]),
        replace(gpu(SEVEN), mode=False),
        replace(gpu(SEVEN), uuid="GPU-other"),
        replace(gpu(SEVEN), instances=(replace(gpu(SEVEN).instances[0], uuid="MIG-other"), *gpu(SEVEN).instances[1:])),
    ],
)
def test_any_device_that_changed_is_found(after: ObservedGpu) -> None:
    with pytest.raises(ConformanceError, match="must not touch the geometry"):
        check_same_gpus(context(), uuids_of([gpu(SEVEN)]), uuids_of([after]))
