"""A file of the device plugin for each node: it sets the strategy only where the ClusterPolicy has none."""

from conformance.expect.kinds import GeometryKind
from conformance.expect.label_checks import check_labels
from conformance.expect.node import ExpectedNode
from conformance.expect.resources import check_resources
from conformance.expect.strategy import check_same_gpus
from conformance.fixtures.case import case
from conformance.spec.names import Strategy
from conformance.suite.cells import cells
from conformance.suite.scenarios.plugin_files import ChooseByNode, ChosenStrategy

ONE_MIXED = cells(strategies=[Strategy.MIXED], kinds=[GeometryKind.UNIFORM], once=True)


@case("D-08", "D-26", scenario=ChooseByNode, cells=ONE_MIXED)
def test_strategy_of_the_cluster_beats_the_file_of_a_node(node: ExpectedNode, seen: ChosenStrategy) -> None:
    """A file of `devicePlugin.config` that a node chooses MUST NOT change its strategy while the ClusterPolicy has one.

    Source: k8s-device-plugin v0.20.0, api/config/v1/flags.go: the environment beats the file; gpu-operator issues 704,
    835.
    """
    own = node.under(node.strategy, seen.policy.gpus)

    check_resources(own.context, seen.policy.allocatable, own.resources)
    check_labels(own.context, seen.policy.labels, own.labels(seen.policy.gpus, seen.policy.driver))


@case("D-08", "D-09", "D-26", scenario=ChooseByNode, cells=ONE_MIXED)
def test_node_without_a_common_strategy_follows_its_file(node: ExpectedNode, seen: ChosenStrategy) -> None:
    """Without `spec.mig.strategy` the file that the label of a node chooses MUST set its strategy, and no other node's.

    Nodes without the label MUST follow the default file. Every MIG device MUST stay, and the node MUST be as before
    once the ClusterPolicy has its strategy again.
    Source: gpu-operator issues 704, 835; k8s-device-plugin v0.20.0, cmd/config-manager/main.go.
    """
    chosen, own = node.under(seen.chosen, seen.file.gpus), node.under(node.strategy, seen.back.gpus)

    check_same_gpus(chosen.context, seen.policy.before, seen.file.after)
    check_resources(chosen.context, seen.file.allocatable, chosen.resources)
    check_labels(chosen.context, seen.file.labels, chosen.labels(seen.file.gpus, seen.file.driver))
    check_resources(own.context, seen.back.allocatable, own.resources)
    check_labels(own.context, seen.back.labels, own.labels(seen.back.gpus, seen.back.driver))


@case("D-08", "D-09", "D-26", scenario=ChooseByNode, cells=ONE_MIXED)
def test_node_that_chooses_no_file_any_more_follows_the_default(node: ExpectedNode, seen: ChosenStrategy) -> None:
    """When the label of a node is removed, its device plugin and GPU Feature Discovery MUST follow the default file.

    Nobody restarts them: config-manager writes the file beside them and tells them. Every MIG device MUST stay.
    Source: k8s-device-plugin v0.20.0, README, "Updating Per-Node Configuration With a Node Label", and
    cmd/config-manager/main.go.
    """
    default = node.under(node.strategy, seen.default.gpus)
    check_same_gpus(default.context, seen.policy.before, seen.default.after)
    check_resources(default.context, seen.default.allocatable, default.resources)
    check_labels(default.context, seen.default.labels, default.labels(seen.default.gpus, seen.default.driver))
