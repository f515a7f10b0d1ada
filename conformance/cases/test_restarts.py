"""Operands, mig-manager and kubelet are restarted: the result is the same."""

from conformance.expect.devices import check_neighbours
from conformance.expect.interruptions import (
    check_course_after_restart,
    check_in_cell,
    check_labels_kept,
    check_replaced,
)
from conformance.expect.node import ExpectedNode
from conformance.expect.resources import check_resources
from conformance.expect.scheduling import check_run
from conformance.expect.transitions import Course
from conformance.expect.trials import (
    check_gpus_kept,
    check_never_advertised,
    check_operands_left_alone,
    check_users_left_alone,
)
from conformance.fixtures.case import case
from conformance.suite.cells import ANY_UNIFORM_CELL
from conformance.suite.scenario import Needs
from conformance.suite.scenarios.reboots import KubeletRestart, RestartKubelet
from conformance.suite.scenarios.restarts import DeleteManagerAtWork, DeleteOperands, Restarts


@case("D-05", scenario=DeleteOperands, cells=ANY_UNIFORM_CELL)
def test_deleted_operands_come_back_to_the_same_layout(node: ExpectedNode, seen: Restarts) -> None:
    """A pod of an operand that is deleted MUST be replaced, and the GPUs MUST stay as they are.

    mig-manager applies the label once when it starts and MUST find nothing to do: no state, no paused operand. Labels
    and resources MUST be the same afterwards, and nothing else MUST have been advertised in between.
    Source: mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go; gpu-operator issues 1704 and 796.
    """
    check_replaced(node.context, seen.trial, seen.deleted)
    check_course_after_restart(node.context, seen.trial, Course.ALREADY, node.mig_manager)
    check_gpus_kept(node.context, seen.trial)
    check_labels_kept(node.context, seen.trial)
    check_never_advertised(node.context, seen.trial, [node.resources])
    check_resources(node.context, seen.trial.after.allocatable, node.resources)


@case("D-05", "D-02", scenario=DeleteManagerAtWork, cells=ANY_UNIFORM_CELL)
def test_manager_deleted_at_work_is_resumed_by_its_successor(node: ExpectedNode, seen: Restarts) -> None:
    """If mig-manager's pod is deleted while it changes the GPUs, its successor MUST finish the change.

    The state MUST go from `pending` to `success`, and operands MUST NOT stay paused.
    Source: mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go: the label is applied at start; gpu-operator issue 2833.
    """
    check_course_after_restart(node.context, seen.trial, Course.CHANGED, node.mig_manager)
    check_in_cell(node.context, seen.trial, node.wanted, node.resources)
    check_users_left_alone(node.context, seen.trial)


@case("D-24", scenario=RestartKubelet, cells=ANY_UNIFORM_CELL)
def test_kubelet_restart_changes_nothing(node: ExpectedNode, seen: KubeletRestart) -> None:
    """A restart of kubelet MUST leave GPUs, operands and pods of users alone; the same resources MUST come back.

    Source: kubernetes v1.36, pkg/kubelet/cm/devicemanager: plugins register again; k8s-device-plugin v0.20.0, main.go.
    """
    check_gpus_kept(node.context, seen.trial)
    check_operands_left_alone(node.context, seen.trial)
    check_users_left_alone(node.context, seen.trial)
    check_never_advertised(node.context, seen.trial, [node.resources])
    check_resources(node.context, seen.trial.after.allocatable, node.resources)


@case("D-24", "D-20", scenario=RestartKubelet, cells=ANY_UNIFORM_CELL, needs=Needs(devices=2))
def test_kubelet_that_starts_gives_no_device_twice(node: ExpectedNode, seen: KubeletRestart) -> None:
    """A pod that holds a device MUST run on through a restart of kubelet, and the next pod MUST get another device.

    Source: kubernetes v1.36, pkg/kubelet/cm/devicemanager/manager.go: allocations are read from a checkpoint.
    """
    check_run(node.context, [user.pod for user in seen.users])
    check_neighbours(node.context, seen.users)
