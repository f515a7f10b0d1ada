"""The state label: how mig-manager answers a wanted configuration."""

import pytest

from conformance.expect.offers import check_applied
from conformance.expect.transitions import check_applied_before_success, check_states
from conformance.fixtures.cells import cells
from conformance.fixtures.markers import requirement
from conformance.fixtures.node import MigNode


@requirement("D-02")
@cells()
@pytest.mark.disruptive
def test_state_goes_from_pending_to_success(node: MigNode) -> None:
    """A node whose GPUs need another geometry MUST show `pending`, then `success`, and nothing else.

    `pending` MUST NOT be shown where the geometry is there already, nor any state where the label is left alone.
    `pending` MUST come before anything else is done, `success` after the GPUs are changed and the operands' deploy
    labels are back. The watch began before the label was set, so the shortest transition is seen.
    Source: runbook, "What it is"; mig-parted v0.15.0, pkg/mig/reconfigure.
    """
    check_states(node.place, node.label_changes, node.expected_writes)
    check_applied_before_success(node.place, node.reconfiguration.manager_log)


@requirement("D-04", "D-01")
@cells()
@pytest.mark.disruptive
def test_offered_configuration_is_applied(node: MigNode) -> None:
    """Every configuration that the node is offered MUST end in `success` when its name is set as `mig.config`.

    Source: runbook, "The mig-parted ConfigMap"; gpu-operator v26.7.0, generated configuration.
    """
    check_applied(node.place, node.reconfiguration.state, node.reconfiguration.problem)
