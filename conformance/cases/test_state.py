"""The state label: how mig-manager answers a wanted configuration."""

from conformance.expect.histories import check_labels_rest
from conformance.expect.node import ExpectedNode
from conformance.expect.offers import check_applied, check_untainted
from conformance.expect.order import check_steps
from conformance.expect.transitions import check_states
from conformance.fixtures.case import case
from conformance.suite.arrival import Arrival
from conformance.suite.scenarios.arrival import BringToCell
from conformance.suite.scenarios.resting import Resting, WatchRest
from conformance.suite.scenarios.stay import Stay, WatchStay


@case("D-02", scenario=WatchStay)
def test_state_goes_from_pending_to_success(node: ExpectedNode, seen: Stay) -> None:
    """A node whose GPUs need another geometry MUST show `pending`, then `success`, and nothing else.

    `pending` MUST NOT be shown where the geometry is there already, nor any state where the label is left alone.
    `pending` MUST come before anything else is done, `success` after the GPUs are changed and the operands' deploy
    labels are back. The watch began before the label was set, so the shortest transition is seen.
    Source: runbook, "What it is"; mig-parted v0.15.0, pkg/mig/reconfigure.
    """
    check_states(node.context, seen.label_changes, node.label_changes)
    check_steps(node.context, seen.manager_log)


@case("D-02", "D-26", scenario=WatchRest)
def test_labels_stay_until_the_node_is_asked_again(node: ExpectedNode, seen: Resting) -> None:
    """Once a node is at rest, its state label, deploy labels and GPU Feature Discovery's labels MUST stay as they are.

    Source: runbook, "What it is": mig-manager acts only when the label changes; k8s-device-plugin v0.20.0, internal/lm.
    """
    check_labels_rest(node.context, seen.label_changes)


@case("D-04", "D-01", scenario=BringToCell, tells_arrival=True)
def test_offered_configuration_is_applied(node: ExpectedNode, seen: Arrival) -> None:
    """Every configuration that the node is offered MUST end in `success` when its name is set as `mig.config`.

    It MUST leave no taint that keeps pods away.
    Source: runbook, "The mig-parted ConfigMap"; gpu-operator v26.7.0, generated configuration.
    """
    check_applied(node.context, seen.reconfiguration.state, seen.reconfiguration.problem, seen.holders)
    check_untainted(node.context, seen.reconfiguration.taints)
