"""The configurations that a node is offered."""

from conformance.expect.kinds import GeometryKind
from conformance.expect.node import ExpectedNode
from conformance.expect.offers import check_offers, check_offers_as_labelled
from conformance.fixtures.case import case
from conformance.suite.cells import cells
from conformance.suite.scenario import Needs
from conformance.suite.scenarios.as_found import LookAtOffers, Offered
from conformance.suite.scenarios.hardware import Hardware, ReadHardware


@case("D-15", scenario=ReadHardware, cells=cells(kinds=[GeometryKind.OFF]), needs=Needs(built_in_configurations=True))
def test_node_is_offered_the_configurations_of_its_model(node: ExpectedNode, seen: Hardware) -> None:
    """A node MUST be offered all-disabled, all-enabled, every all-<profile> and all-balanced of its GPU model.

    Names and counts are those that mig-manager generates from v0.14.0 on; before, those of the shipped file. A
    ConfigMap of the user's own hides them by design.
    Source: runbook, "The mig-parted ConfigMap"; mig-parted v0.15.0, pkg/mig/builder.
    """
    check_offers(node.context, seen.gpus, seen.configurations, node.mig_manager)


@case("D-15", scenario=LookAtOffers, needs=Needs(built_in_configurations=True))
def test_node_is_offered_the_configurations_of_its_label(node: ExpectedNode, seen: Offered) -> None:
    """A node MUST be offered the built-in configurations of the GPU model that its label names, before any change.

    Of a model that the suite does not know, these are all-disabled and all-enabled at least.
    Source: runbook, "The mig-parted ConfigMap"; mig-parted v0.15.0, pkg/mig/builder.
    """
    check_offers_as_labelled(node.context, seen.gpus, seen.configurations, node.mig_manager)
