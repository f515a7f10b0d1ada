"""Operands and pods of users while a node is reconfigured, and for as long as it stays so."""

from conformance.expect.node import ExpectedNode
from conformance.expect.operands import (
    check_operands_kept,
    check_operands_renewed,
    check_operands_run,
    check_user_pods,
)
from conformance.expect.transitions import check_deploy_labels
from conformance.fixtures.case import case
from conformance.suite.scenarios.stay import Stay, WatchStay


@case("D-05", scenario=WatchStay)
def test_deploy_labels_are_paused_and_come_back(node: ExpectedNode, seen: Stay) -> None:
    """The operands' deploy labels MUST be paused for a change and `true` after it; `false` MUST stay `false`.

    Where nothing is to be done they MUST NOT be paused.
    Source: mig-parted v0.15.0, pkg/mig/reconfigure; the label that is false was set before the change.
    """
    check_deploy_labels(node.context, seen.label_changes, node.label_changes)


@case("D-05", scenario=WatchStay)
def test_operands_are_gone_during_a_change_and_new_after_it(node: ExpectedNode, seen: Stay) -> None:
    """The pods of the paused operands MUST be gone before their successors, with other UIDs, come and run.

    Where nothing is to be done they MUST be the same pods as before.
    Source: runbook, flowchart "Stop GPU pods"; mig-parted v0.15.0, pkg/mig/reconfigure.
    """
    check = check_operands_renewed if node.needs_work else check_operands_kept

    check(node.context, seen.pods, seen.operands)
    check_operands_run(node.context, seen.crashing, node.may_crash(seen.gpus))


@case("D-05", scenario=WatchStay)
def test_pods_of_users_are_left_alone(node: ExpectedNode, seen: Stay) -> None:
    """A pod of a user that holds no GPU MUST live through every reconfiguration of its node.

    Source: mig-parted v0.15.0, pkg/mig/reconfigure: only operands are stopped.
    """
    check_user_pods(node.context, seen.users_before, seen.users_after)
