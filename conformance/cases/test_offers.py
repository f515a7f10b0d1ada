"""The configurations that a node is offered."""

import pytest

from conformance.expect.offers import check_offers
from conformance.fixtures.cells import Geometry, cells
from conformance.fixtures.markers import requirement
from conformance.fixtures.node import MigNode


@requirement("D-15")
@cells(geometries=[Geometry.OFF])
@pytest.mark.workload
def test_node_is_offered_the_configurations_of_its_model(node: MigNode) -> None:
    """A node MUST be offered all-disabled, all-enabled, every all-<profile> and all-balanced of its GPU model.

    Names and counts are those that mig-manager generates from v0.14.0 on; before, those of the shipped file.
    Source: runbook, "The mig-parted ConfigMap"; mig-parted v0.15.0, pkg/mig/builder.
    """
    check_offers(node.place, node.gpus, node.configurations, node.versions.mig_manager)
