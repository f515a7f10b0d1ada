"""The labels by which GPU Feature Discovery describes a node."""

from conformance.expect.label_checks import check_labels, check_timestamp
from conformance.expect.node import ExpectedNode
from conformance.fixtures.case import case
from conformance.spec.names import GFD_TIMESTAMP
from conformance.suite.scenarios.hardware import Hardware, ReadHardware


@case("D-26", "D-09", scenario=ReadHardware)
def test_labels_describe_the_geometry_and_nothing_else(node: ExpectedNode, seen: Hardware) -> None:
    """The node MUST carry every label of its geometry and strategy, and none of the previous geometry.

    Under `single` an uneven or empty geometry MUST be labelled `-MIG-INVALID`.
    Source: runbook, "What it is"; k8s-device-plugin v0.20.0, internal/lm.
    """
    check_labels(node.context, seen.labels, node.labels(seen.gpus, seen.driver))


@case("D-26", scenario=ReadHardware)
def test_labels_come_from_a_new_process(node: ExpectedNode, seen: Hardware) -> None:
    """After a change the labels MUST come from a new pod of GPU Feature Discovery; without one, from the same pod.

    Source: k8s-device-plugin v0.20.0, internal/lm/timestamp.go: the timestamp is that of the process.
    """
    check_timestamp(node.context, node.timestamp_before, seen.labels.get(GFD_TIMESTAMP), restarted=node.restarted)
