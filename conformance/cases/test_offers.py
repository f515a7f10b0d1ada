"""The configurations that a node is offered."""

from conformance.expect.kinds import GeometryKind
from conformance.expect.node import ExpectedNode
from conformance.expect.offers import check_offers
from conformance.fixtures.case import case
from conformance.suite.cells import cells
from conformance.suite.scenario import Needs
from conformance.suite.scenarios.hardware import Hardware, ReadHardware


@case("D-15", scenario=ReadHardware, cells=cells(kinds=[GeometryKind.OFF]), needs=Needs(built_in_configurations=True))
def test_node_is_offered_the_configurations_of_its_model(node: ExpectedNode, seen: Hardware) -> None:
    """A node MUST be offered all-disabled, all-enabled, every all-<profile> and all-balanced of its GPU model.

    Names and counts are those that mig-manager generates from v0.14.0 on; before, those of the shipped file. A
    ConfigMap of the user's own hides them by design.
    Source: runbook, "The mig-parted ConfigMap"; mig-parted v0.15.0, pkg/mig/builder.
    """
    check_offers(node.context, seen.gpus, seen.configurations, node.mig_manager)
