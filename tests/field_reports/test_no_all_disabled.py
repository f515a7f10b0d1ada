"""A file without the name that the node's label has: nothing is changed, since the label could not bring it back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from conformance.cluster import paths
from conformance.cluster.connecting import connect
from conformance.cluster.limits import Limits
from tests.field_reports.whole import CHANGES, somebody, text_of


def test_the_node_is_left_as_it_is_and_the_value_is_named(tmp_path: Path) -> None:
    with (
        somebody(tmp_path, custom_config=text_of("no-all-disabled.yaml")) as one,
        closing(connect(one.cluster.kubeconfig, None, Limits())) as hand,
    ):
        before = hand.get(paths.node("sim-0"))["metadata"]
        ended = one.certify(*CHANGES)
        after = hand.get(paths.node("sim-0"))["metadata"]

    assert after["labels"] == before["labels"]
    (reason,) = {reason for reason in ended.left_out if "could not be put back" in reason}
    assert (
        "its label nvidia.com/mig.config=all-disabled names no configuration of ConfigMap custom-mig-config" in reason
    )
    assert "set the label to one of small" in reason
    assert ended.report["reconfigurations"]["made"] == 0
    assert ended.report["restore"]["outcome"] == "not-needed"
    assert "Traceback" not in ended.output
