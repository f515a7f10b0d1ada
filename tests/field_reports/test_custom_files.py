"""Runs on clusters with a mig-parted file of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.expect.kinds import GeometryKind
from conformance.spec.names import GPU_COUNT, GPU_PRODUCT
from conformance.suite.targets import find_targets
from tests.field_reports.whole import CHANGES, somebody, text_of
from tests.suite.memory import Memory

D_15_DOES_NOT_APPLY = "does not apply: a ConfigMap of the user's own hides the built-in configurations, by design"
A100_40 = {GPU_PRODUCT: "NVIDIA-A100-SXM4-40GB"}
FLEET = """
version: v1
mig-configs:
  a100: [{devices: all, mig-enabled: true, mig-devices: {1g.5gb: 7}}]
  h100: [{devices: all, mig-enabled: true, mig-devices: {2g.20gb: 3}}]
  nobody: [{devices: all, mig-enabled: true, mig-devices: {1g.18gb: 7}}]
"""
FILTERED = """
version: v1
mig-configs:
  balanced:
    - {device-filter: "0x20B010DE", devices: all, mig-enabled: true, mig-devices: {1g.5gb: 7}}
    - {device-filter: "0x233010DE", devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}}
"""


UNLIKE_GPUS = """
version: v1
mig-configs:
  all-disabled: [{devices: all, mig-enabled: false}]
  unlike:
    - {devices: [0], mig-enabled: true, mig-devices: {1g.10gb: 7}}
    - {devices: [1], mig-enabled: true, mig-devices: {7g.80gb: 1}}
"""
"""No third configuration, which one scenario needs."""
PARTS = """
version: v1
mig-configs:
  all-disabled: [{devices: all, mig-enabled: false}]
  half: [{devices: [0], mig-enabled: false}, {devices: [1], mig-enabled: true, mig-devices: {1g.10gb: 4, 3g.40gb: 1}}]
  compute-instances: [{devices: all, mig-enabled: true, mig-devices: {1c.3g.40gb: 6}}]
  empty: [{devices: all, mig-enabled: true, mig-devices: {}}]
"""
"""Under `mixed` nothing is advertised for the compute instances and for the empty GPUs."""
SHORT = "lease = 2\nstays_pending = 0.5\nidle = 0.5\nedit_ignored = 1\nstuck = 2\nreconfigure = 20\ncrash_again = 0.5\n"
"""Real seconds: on this cluster, five minutes are less than one."""


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.policy(migManager={"config": {"name": "mine"}})
    return memory


def test_names_of_ones_own_are_certified_without_the_built_in_ones(tmp_path: Path) -> None:
    options = {"gpu_model": "h100-nvl", "gpus_per_node": 2, "strategy": "mixed"}
    file = text_of("custom-config-names.yaml")
    with somebody(tmp_path, custom_config=file, node_labels={"nvidia.com/mig.config": "custom-mig"}, **options) as one:
        ended = one.certify(*CHANGES, "--profile=core")

    assert ended.cases("failed") == ended.cases("error") == ended.cases("blocked") == set()
    assert ended.report["verdict"] == "partial", ended.output
    assert ended.left_out == {D_15_DOES_NOT_APPLY: 1}
    assert len(ended.cases("passed")) > 10


@pytest.mark.parametrize("file", [UNLIKE_GPUS, PARTS], ids=["two configurations", "nothing to advertise"])
def test_an_odd_file_is_no_finding_in_the_full_profile(file: str, tmp_path: Path) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_text(SHORT)
    with somebody(tmp_path, custom_config=file, gpus_per_node=2) as one:
        ended = one.certify(*CHANGES, "--allow-reboot", "--allow-exec", f"--timeouts={limits}")

    unlike = {it: ended.cases(it) for it in ("failed", "error", "blocked", "inconclusive") if ended.cases(it)}
    assert unlike == {}, ended.output
    assert len(ended.cases("passed")) > 100
    assert ended.report["restore"]["outcome"] == "exact"


def test_a_profile_that_no_gpu_offers_is_run_and_found(tmp_path: Path) -> None:
    file = text_of("name-says-other-profile.yaml")
    with somebody(tmp_path, custom_config=file, gpu_model="a800-sxm4-80gb", strategy="mixed") as one:
        ended = one.certify(*CHANGES, "-m", "mixed", "--configuration=all-1g.10gb")

    assert ended.cases("failed") == {"test_success_is_not_a_wiped_gpu[mixed-all-1g.10gb-sim-0]"}, ended.output
    assert ended.cases("error") == ended.cases("blocked") == set()
    assert "no GPU of the node offers 1g.5gb: mig-parted deletes all instances and reports success" in ended.output


def test_a_configuration_of_one_gpu_is_applied_each_time_it_is_asked_for(tmp_path: Path) -> None:
    """Under `mixed` the node goes to `one-cut-short` from `one-cut`, which leaves the same geometry."""
    options = {"custom_config": text_of("per-index-typo.yaml"), "gpus_per_node": 5, "strategy": "mixed"}
    with somebody(tmp_path, **options) as one:
        ended = one.certify(*CHANGES, "-m", "mixed", "--configuration=one-cut", "--configuration=one-cut-short")

    assert ended.cases("failed") == ended.cases("error") == ended.cases("blocked") == set(), ended.output
    assert "test_operands_are_gone_during_a_change_and_new_after_it[mixed-one-cut-short-sim-0]" in ended.cases("passed")
    states = [entry["change"] for entry in ended.report["timelines"]["sim-0"] if "state=pending" in entry["change"]]
    assert len(states) == 2 + 1, "one for each configuration, one for the restore"


def test_per_index_files_speak_of_the_gpus_that_the_node_has(memory: Memory) -> None:
    memory.node(labels={GPU_COUNT: "8"}, gpu=8)
    memory.configuration("mine", text_of("custom-config-names.yaml").replace("12gb", "10gb").replace("24gb", "20gb"))
    (eight,) = find_targets(memory.cluster, ())
    memory.node(labels={GPU_COUNT: "2"}, gpu=2)
    (two,) = find_targets(memory.cluster, ())

    assert eight.kinds == {"custom-mig": GeometryKind.PARTIAL}
    assert two.kinds == {"custom-mig": GeometryKind.UNEVEN}


def test_a_file_for_several_models_is_tested_where_it_fits(memory: Memory) -> None:
    memory.node(gpu=8)
    memory.node("sim-1", labels=A100_40, gpu=8)
    memory.configuration("mine", FLEET)
    h100, a100 = find_targets(memory.cluster, ())

    assert dict(h100.kinds) == {"h100": GeometryKind.UNIFORM, "nobody": GeometryKind.EMPTY}
    assert dict(a100.kinds) == {"a100": GeometryKind.UNIFORM, "nobody": GeometryKind.EMPTY}
    assert h100.not_for_it == {"a100": "a100 is for the GPUs of other nodes"}


def test_filters_of_ones_own_file_do_not_put_other_gpus_into_the_node(memory: Memory) -> None:
    memory.node(gpu=8)
    memory.configuration("mine", FILTERED)
    (target,) = find_targets(memory.cluster, ())

    assert target.product == "NVIDIA H100 80GB HBM3"
    assert target.kinds == {"balanced": GeometryKind.UNIFORM}
