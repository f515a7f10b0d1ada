"""The Node object is deleted and registered again, without `mig.config` and with it."""

from conformance.expect.hardware import check_geometry
from conformance.expect.interruptions import check_in_cell
from conformance.expect.label_runs import check_requested
from conformance.expect.node import ExpectedNode
from conformance.expect.rejoining import check_operands_came_back, check_prepared, check_states_of_new_node
from conformance.expect.trials import check_never_advertised, check_users_left_alone
from conformance.fixtures.case import case
from conformance.suite.cells import ANY_UNIFORM_CELL
from conformance.suite.scenarios.rejoining import JoinedNode, JoinWithLabel, RecreateNode, RegisteredNode


@case("D-11", scenario=RecreateNode, cells=ANY_UNIFORM_CELL)
def test_deleted_node_gets_its_operands_back_by_itself(node: ExpectedNode, seen: RegisteredNode) -> None:
    """If the Node object is deleted and registered again, every operand MUST come back without a label set by hand.

    The operator's labels MUST be as before, mig-manager's deploy label among them, and no pod of a user MUST end.
    Source: gpu-operator issue 873; gpu-operator v26.7.0, controllers/nodelabeling_controller.go.
    """
    check_prepared(node.context, seen.trial)
    check_operands_came_back(node.context, seen.trial)
    check_users_left_alone(node.context, seen.trial)


@case("D-14", scenario=RecreateNode, cells=ANY_UNIFORM_CELL)
def test_deleted_node_gets_the_default(node: ExpectedNode, seen: RegisteredNode) -> None:
    """A node that is registered again without the label MUST get the operator's default, and the default be applied.

    Meanwhile nothing MUST be advertised but the devices of the former layout and those of the default. The layout
    MUST be there again once it is requested.
    Source: gpu-operator v26.7.0, controllers/nodelabeling_controller.go; mig-parted v0.15.0, cmd/nvidia-mig-manager.
    """
    check_requested(node.context, seen.trial, seen.expected.context.configuration)
    check_states_of_new_node(node.context, seen.trial)
    check_geometry(seen.expected.context, seen.trial.after.gpus, seen.expected.wanted)
    check_never_advertised(node.context, seen.trial, [node.resources, seen.expected.resources])
    check_in_cell(node.context, seen.recovery, node.wanted, node.resources)


@case("D-01", scenario=JoinWithLabel, cells=ANY_UNIFORM_CELL)
def test_label_of_a_node_that_joins_is_applied(node: ExpectedNode, seen: JoinedNode) -> None:
    """If a node joins with the label set, its configuration MUST be applied, and the default MUST NOT replace it.

    The state MUST go from `pending` to `success`, and no operand MUST stay paused.
    Source: mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go: the label is read at start; gpu-operator issue 2670.
    """
    check_states_of_new_node(node.context, seen.trial)
    check_in_cell(node.context, seen.trial, node.wanted, node.resources)
    check_in_cell(node.context, seen.recovery, node.wanted, node.resources)


@case("D-24", scenario=JoinWithLabel, cells=ANY_UNIFORM_CELL)
def test_node_that_joins_offers_nothing_but_its_layout(node: ExpectedNode, seen: JoinedNode) -> None:
    """From its start to `success` a node with the label MUST NOT advertise anything but its layout: no whole GPU.

    A pod that waits for a device would get a whole GPU, and then keep mig-manager from making the layout.
    Source: gpu-operator issue 2670.
    """
    check_never_advertised(node.context, seen.trial, [node.resources])
