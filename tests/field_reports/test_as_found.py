"""Runs that only read: a label with a typo is a finding, and slices without mig-manager are judged as they stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.cluster import paths
from conformance.cluster.connecting import connect
from conformance.cluster.limits import Limits
from conformance.cluster.transport import Transport
from conformance.spec.names import MIG_CONFIG, MIG_CONFIG_STATE
from tests.field_reports.whole import CHANGES, Somebody, somebody, text_of

LIMIT = 60
"""Real seconds for the cluster to follow a change."""
MANAGER_IS_OFF = "mig-manager is off (spec.migManager.enabled of the ClusterPolicy)"


def until(hand: Transport, holds: Callable[[dict[str, str]], bool]) -> None:
    """Watch the node until its labels are as they should be."""
    with closing(hand.stream(paths.nodes(), {"watch": "1"}, LIMIT)) as stream:
        assert any(holds(json.loads(line)["object"]["metadata"]["labels"]) for line in stream)


def connected(one: Somebody) -> Any:
    return closing(connect(one.cluster.kubeconfig, None, Limits()))


def test_a_typo_in_the_label_is_a_finding_of_a_run_that_only_reads(tmp_path: Path) -> None:
    with (
        somebody(tmp_path, custom_config=text_of("per-index-typo.yaml"), gpus_per_node=2) as one,
        connected(one) as hand,
    ):
        hand.patch(paths.node("sim-0"), {"metadata": {"labels": {MIG_CONFIG: "all-enable"}}})
        until(hand, lambda labels: labels.get(MIG_CONFIG_STATE) == "failed")
        ended = one.certify()

    assert ended.cases("failed") == {"test_configuration_of_the_label_has_not_failed[single-all-enable-sim-0]"}
    assert "no configuration is named all-enable: its file has all-disabled, one-cut, one-cut-short, old-card" in (
        ended.output
    )
    assert ended.report["reconfigurations"]["made"] == 0


@pytest.mark.parametrize(
    ("strategy", "configuration"), [("single", "all-disabled"), ("mixed", "all-disabled"), ("mixed", "all-balanced")]
)
def test_gpus_of_several_models_are_judged_as_they_stand(strategy: str, configuration: str, tmp_path: Path) -> None:
    """Labels describe one model: that the node advertises the GPUs of the other one too is no finding."""
    models, labels = "a100-sxm4-40gb,h100-80gb-hbm3", {MIG_CONFIG: configuration}
    with somebody(tmp_path, strategy=strategy, gpu_model=models, gpus_per_node=4, node_labels=labels) as one:
        ended = one.certify("--allow-exec")

    place = f"{strategy}-{configuration}-sim-0"
    assert not ended.cases("failed")
    assert ended.cases("passed") >= {
        f"test_resources_and_labels_count_the_same_devices[{place}]",
        f"test_nvidia_smi_lists_what_the_labels_count[{place}]",
        f"test_nvidia_smi_lists_the_configuration_as_found[{place}]",
    }
    assert any("labels describe one of several GPU models" in reason for reason in ended.left_out)


@pytest.mark.parametrize("strategy", ["single", "mixed"])
def test_slices_that_something_else_cut_are_judged_as_they_stand(strategy: str, tmp_path: Path) -> None:
    changes = yaml.safe_load(text_of("no-mig-manager.yaml"))
    labels = {MIG_CONFIG: "all-1g.10gb"}
    with somebody(tmp_path, strategy=strategy, node_labels=labels) as one, connected(one) as hand:
        hand.patch(paths.policy("cluster-policy"), changes["cluster_policy"])
        hand.patch(paths.node("sim-0"), {"metadata": {"labels": changes["labels"]}})
        until(hand, lambda labels: MIG_CONFIG not in labels)
        only_reads = one.certify("--allow-exec")
        may_change = one.certify(*CHANGES)

    place = f"{strategy}-without-a-configuration-sim-0"
    assert only_reads.cases("passed") >= {
        f"test_configuration_of_the_label_has_not_failed[{place}]",
        f"test_last_change_has_ended[{place}]",
        f"test_resources_and_labels_count_the_same_devices[{place}]",
        f"test_nvidia_smi_lists_what_the_labels_count[{place}]",
        f"test_every_gpu_instance_has_its_device_as_found[{place}]",
    }
    assert set(only_reads.left_out) == {MANAGER_IS_OFF}
    assert only_reads.cases("failed") == {f"test_prerequisites_of_mig_are_met[{place}]"}
    assert "--allow-disruptive" not in only_reads.output
    assert may_change.code == 4
    assert "no node may be changed: node sim-0 could not be put back: it has no label" in may_change.output
