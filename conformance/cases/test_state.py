"""The state label: how mig-manager answers a wanted configuration."""

from conformance.expect.node import ExpectedNode
from conformance.expect.offers import check_applied
from conformance.expect.transitions import check_applied_before_success, check_states
from conformance.fixtures.case import case
from conformance.suite.arrival import Arrival
from conformance.suite.scenarios.arrival import BringToCell
from conformance.suite.scenarios.stay import Stay, WatchStay


@case("D-02", scenario=WatchStay)
def test_state_goes_from_pending_to_success(node: ExpectedNode, seen: Stay) -> None:
    """A node whose GPUs need another geometry MUST show `pending`, then `success`, and nothing else while it stays.

    `pending` MUST NOT be shown where the geometry is there already, nor any state where the label is left alone.
    `pending` MUST come before anything else is done, `success` after the GPUs are changed and the operands' deploy
    labels are back. The watch began before the label was set, so the shortest transition is seen.
    Source: runbook, "What it is"; mig-parted v0.15.0, pkg/mig/reconfigure.
    """
    check_states(node.context, seen.label_changes, node.label_changes)
    check_applied_before_success(node.context, seen.manager_log)


@case("D-04", "D-01", scenario=BringToCell, tells_arrival=True)
def test_offered_configuration_is_applied(node: ExpectedNode, seen: Arrival) -> None:
    """Every configuration that the node is offered MUST end in `success` when its name is set as `mig.config`.

    Source: runbook, "The mig-parted ConfigMap"; gpu-operator v26.7.0, generated configuration.
    """
    check_applied(node.context, seen.reconfiguration.state, seen.reconfiguration.problem)
