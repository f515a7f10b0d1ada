"""The labels by which GPU Feature Discovery describes a node."""

import pytest

from conformance.expect.label_checks import check_labels, check_timestamp
from conformance.fixtures.cells import cells
from conformance.fixtures.markers import requirement
from conformance.fixtures.node import MigNode
from conformance.spec.names import GFD_TIMESTAMP


@requirement("D-26", "D-09")
@cells()
@pytest.mark.workload
def test_labels_describe_the_geometry_and_nothing_else(node: MigNode) -> None:
    """The node MUST carry the complete label family of its geometry and strategy, with nothing left of the former one.

    Under `single` an uneven or empty geometry MUST be labelled `-MIG-INVALID`.
    Source: runbook, "What it is"; k8s-device-plugin v0.20.0, internal/lm.
    """
    check_labels(node.place, node.labels, node.evidence.labels)


@requirement("D-26")
@cells()
@pytest.mark.disruptive
def test_labels_come_from_a_new_process(node: MigNode) -> None:
    """After a change the labels MUST come from a GPU Feature Discovery that was started since; otherwise from the old.

    Source: k8s-device-plugin v0.20.0, internal/lm/timestamp.go: the timestamp is that of the process.
    """
    found = node.labels.get(GFD_TIMESTAMP)

    check_timestamp(node.place, node.timestamp_before, found, restarted=node.evidence.restarted)
