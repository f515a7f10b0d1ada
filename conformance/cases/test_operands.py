"""Operands and pods of users while a node is reconfigured, and for as long as it stays so."""

from conformance.expect.histories import check_node_kept, check_nothing_beside, check_operands_rest
from conformance.expect.node import ExpectedNode
from conformance.expect.operands import (
    check_operands_kept,
    check_operands_renewed,
    check_operands_run,
    check_user_pods,
)
from conformance.expect.order import check_pods_and_labels
from conformance.expect.transitions import check_deploy_labels
from conformance.fixtures.case import case
from conformance.suite.scenarios.resting import Resting, WatchRest
from conformance.suite.scenarios.stay import Stay, WatchStay


@case("D-05", scenario=WatchStay)
def test_deploy_labels_are_paused_and_come_back(node: ExpectedNode, seen: Stay) -> None:
    """The operands' deploy labels MUST be paused for a change and `true` after it; `false` MUST stay `false`.

    Where nothing is to be done they MUST NOT be paused. A deploy label MUST NOT be removed at any time.
    Source: mig-parted v0.15.0, pkg/mig/reconfigure; the label that is false was set before the change.
    """
    check_deploy_labels(node.context, seen.label_changes, node.label_changes)


@case("D-05", scenario=WatchStay)
def test_operands_are_gone_during_a_change_and_new_after_it(node: ExpectedNode, seen: Stay) -> None:
    """The pods of the paused operands MUST be gone before their successors, with other UIDs, come and are Ready.

    Where nothing is to be done they MUST be the same pods as before.
    Source: runbook, flowchart "Stop GPU pods"; mig-parted v0.15.0, pkg/mig/reconfigure.
    """
    check = check_operands_renewed if node.needs_work else check_operands_kept

    check(node.context, seen.pods, seen.operands, node.may_wait(seen.gpus))
    check_operands_run(node.context, seen.crashing, node.may_crash(seen.gpus))


@case("D-05", scenario=WatchStay)
def test_gpus_are_changed_only_while_the_operands_are_gone(node: ExpectedNode, seen: Stay) -> None:
    """The operands MUST stop after their deploy labels are paused, and MUST be gone before the labels come back.

    The validator's pod MUST be replaced in between, once they are gone.
    Source: mig-parted v0.15.0, pkg/mig/reconfigure: the GPUs are changed between the two.
    """
    check_pods_and_labels(node.context, seen.pods, seen.label_changes, seen.operands)


@case("D-05", scenario=WatchStay)
def test_operands_that_use_no_gpu_run_on(node: ExpectedNode, seen: Stay) -> None:
    """The other operands, such as driver, container toolkit and mig-manager, MUST keep running in the same pods.

    Source: mig-parted v0.15.0, pkg/mig/reconfigure: only the GPU clients and the validator are stopped.
    """
    check_operands_kept(node.context, seen.pods, seen.others)


@case("D-05", scenario=WatchStay)
def test_pods_of_users_are_left_alone(node: ExpectedNode, seen: Stay) -> None:
    """A pod of a user that holds no GPU MUST live through every reconfiguration of its node, without a restart.

    Source: mig-parted v0.15.0, pkg/mig/reconfigure: only operands are stopped.
    """
    check_user_pods(node.context, seen.users_before, seen.pods)


@case("D-05", scenario=WatchStay)
def test_node_and_its_neighbours_are_left_alone(node: ExpectedNode, seen: Stay) -> None:
    """A change MUST NOT cordon, uncordon, taint or restart the node, nor write labels or taints of other nodes.

    It MUST NOT delete pods of other nodes either, nor pods of the node that are no operands.

    Source: mig-parted v0.15.0, pkg/mig/reconfigure: without WITH_REBOOT only labels of the own node are written.
    """
    check_node_kept(node.context, seen.node_changes, seen.neighbours)
    check_nothing_beside(node.context, seen.side_effects)


@case("D-05", scenario=WatchRest)
def test_operands_run_on_until_the_node_is_asked_again(node: ExpectedNode, seen: Resting) -> None:
    """Once a node is at rest, its operands MUST stay Ready in the same pods, and the node MUST stay as it is.

    An operand that cannot handle the geometry may crash-loop. Source: runbook, "What it is": mig-manager acts only when
    the label changes.
    """
    check_operands_rest(node.context, seen.pod_changes, node.may_wait(seen.gpus))
    check_node_kept(node.context, seen.node_changes, ())
