"""The operator and Node Feature Discovery are restarted: the GPUs, their labels and the operands stay."""

from conformance.expect.controllers import (
    check_controllers_back,
    check_labels_back,
    check_node_undisturbed,
    check_operands_undisturbed,
)
from conformance.expect.interruptions import check_in_cell
from conformance.expect.node import ExpectedNode
from conformance.expect.transitions import Course, check_idle
from conformance.expect.trials import (
    check_courses,
    check_gpus_kept,
    check_never_advertised,
    check_resources_kept,
    check_users_left_alone,
)
from conformance.fixtures.case import case
from conformance.suite.cells import ANY_UNIFORM_CELL
from conformance.suite.scenarios.controller_restarts import (
    ControllerRestart,
    RestartNodeFeatureDiscovery,
    RestartOperator,
    RestartOperatorAtWork,
)


@case("D-05", scenario=RestartOperator, cells=ANY_UNIFORM_CELL)
def test_operator_that_starts_changes_no_node(node: ExpectedNode, seen: ControllerRestart) -> None:
    """A new pod of the operator that finds everything as it must be MUST NOT change a label, a taint or a GPU.

    Pods of operands and of users MUST run on, and the resources MUST stay.
    Source: gpu-operator v26.7.0, controllers/object_controls.go: a DaemonSet is updated only if its hash differs;
    controllers/state_manager.go: a label that has a value is kept.
    """
    check_controllers_back(node.context, seen.controllers)
    check_node_undisturbed(node.context, seen.trial, seen.node_changes, "the operator")
    check_operands_undisturbed(node.context, seen.trial, "the operator")
    check_users_left_alone(node.context, seen.trial)
    check_gpus_kept(node.context, seen.trial)
    check_resources_kept(node.context, seen.trial)


@case("D-05", "D-02", scenario=RestartOperatorAtWork, cells=ANY_UNIFORM_CELL)
def test_operator_that_starts_does_not_disturb_a_change(node: ExpectedNode, seen: ControllerRestart) -> None:
    """If the operator's pod is deleted while mig-manager changes the GPUs, the change MUST end as without that.

    The operands MUST stay paused until mig-manager resumes them, and MUST NOT stay paused afterwards.
    Source: gpu-operator v26.7.0, controllers/state_manager.go: the operator sets deploy labels that have no value, and
    keeps those that are paused.
    """
    check_controllers_back(node.context, seen.controllers)
    check_courses(node.context, seen.trial, [Course.CHANGED], node.mig_manager)
    check_in_cell(node.context, seen.trial, node.wanted, node.resources)
    check_users_left_alone(node.context, seen.trial)


@case("D-26", "D-05", scenario=RestartNodeFeatureDiscovery, cells=ANY_UNIFORM_CELL)
def test_restart_of_node_feature_discovery_keeps_labels_and_operands(
    node: ExpectedNode, seen: ControllerRestart
) -> None:
    """When master and worker of Node Feature Discovery restart, the labels of GPUs and features MUST stay or come back.

    Operands MUST NOT leave the node, mig-manager MUST do nothing, and nothing but the slices MUST be advertised.
    Source: node-feature-discovery v0.19.0, pkg/nfd-master and pkg/nfd-worker: a NodeFeature outlives its worker;
    gpu-operator issues 2288, 782, 1469 and 580: deploy labels are lost with the labels of the GPU.
    """
    check_controllers_back(node.context, seen.controllers)
    check_idle(node.context, seen.trial.label_changes, "Node Feature Discovery was restarted, and nothing else")
    check_labels_back(node.context, seen.trial)
    check_operands_undisturbed(node.context, seen.trial, "Node Feature Discovery")
    check_users_left_alone(node.context, seen.trial)
    check_gpus_kept(node.context, seen.trial)
    check_never_advertised(node.context, seen.trial, [node.resources])
