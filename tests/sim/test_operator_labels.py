"""Which labels the operator gives which node."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.sim.operator.labels import label_patch, triggers_reconcile

FOUND = {"feature.node.kubernetes.io/pci-10de.present": "true"}
DEPLOYED = {
    f"nvidia.com/gpu.deploy.{operand}": "true"
    for operand in (
        "container-toolkit", "dcgm", "dcgm-exporter", "device-plugin", "driver", "gpu-feature-discovery",
        "node-status-exporter", "operator-validator",
    )
}  # fmt: skip
GPU_NODE = FOUND | DEPLOYED | {"nvidia.com/gpu.present": "true"}
CAPABLE = {"nvidia.com/mig.capable": "true"}


def policy(default: str | None = "all-disabled", *, enabled: bool = True) -> dict[str, Any]:
    config = {} if default is None else {"config": {"default": default}}
    return {"spec": {"migManager": {"enabled": enabled, **config}}}


def test_a_node_without_gpus_is_left_alone() -> None:
    assert label_patch({"kubernetes.io/os": "linux"}, policy(), client=True) == {}


def test_a_new_gpu_node_gets_all_operands_but_mig_manager() -> None:
    patch = label_patch(FOUND, policy(), client=False)

    assert patch == DEPLOYED | {"nvidia.com/gpu.present": "true"}


def test_the_client_label_is_a_matter_of_the_release() -> None:
    assert label_patch(GPU_NODE, policy(), client=True) == {"nvidia.com/gpu.deploy.client": "true"}


def test_a_capable_node_gets_mig_manager_and_the_default() -> None:
    patch = label_patch(GPU_NODE | CAPABLE, policy(), client=False)

    assert patch == {"nvidia.com/gpu.deploy.mig-manager": "true", "nvidia.com/mig.config": "all-disabled"}


@pytest.mark.parametrize("product", ["NVIDIA-H100-80GB-HBM3", "NVIDIA-A100-SXM4-40GB", "NVIDIA-A30"])
def test_without_its_label_capability_follows_the_product(product: str) -> None:
    patch = label_patch(GPU_NODE | {"nvidia.com/gpu.product": product}, policy(), client=False)

    assert patch["nvidia.com/gpu.deploy.mig-manager"] == "true"


@pytest.mark.parametrize(
    "labels",
    [
        {"nvidia.com/mig.capable": "false", "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB"},
        {"nvidia.com/gpu.product": "NVIDIA-H200"},
        CAPABLE | {"nvidia.com/vgpu.host-driver-version": "580.1"},
    ],
)
def test_an_incapable_node_gets_neither_mig_manager_nor_a_default(labels: dict[str, str]) -> None:
    assert label_patch(GPU_NODE | labels, policy(), client=False) == {}


@pytest.mark.parametrize("chosen", [policy(""), policy(None), policy(enabled=False)])
def test_the_default_is_stamped_only_where_the_policy_says_so(chosen: dict[str, Any]) -> None:
    assert "nvidia.com/mig.config" not in label_patch(GPU_NODE | CAPABLE, chosen, client=False)


def test_a_chosen_configuration_is_never_overwritten_but_an_empty_one_is() -> None:
    node = GPU_NODE | CAPABLE | {"nvidia.com/gpu.deploy.mig-manager": "true"}

    assert label_patch(node | {"nvidia.com/mig.config": "all-1g.10gb"}, policy(), client=False) == {}
    for state in ("pending", "rebooting", "success", "failed"):
        asked = {"nvidia.com/mig.config": "all-1g.10gb", "nvidia.com/mig.config.state": state}
        assert label_patch(node | asked, policy(), client=False) == {}
    assert label_patch(node | {"nvidia.com/mig.config": ""}, policy(), client=False) == {
        "nvidia.com/mig.config": "all-disabled"
    }


@pytest.mark.parametrize("value", ["false", "paused-for-mig-change", "paused-for-driver-upgrade"])
def test_a_deploy_label_with_a_value_is_honoured(value: str) -> None:
    assert label_patch(GPU_NODE | {"nvidia.com/gpu.deploy.device-plugin": value}, policy(), client=False) == {}


def test_an_empty_deploy_label_counts_as_absent() -> None:
    node = GPU_NODE | {"nvidia.com/gpu.deploy.device-plugin": ""}

    assert label_patch(node, policy(), client=False) == {"nvidia.com/gpu.deploy.device-plugin": "true"}


def test_switching_the_operands_off_takes_the_deploy_labels_away() -> None:
    node = GPU_NODE | {"nvidia.com/gpu.deploy.operands": "false"}

    assert label_patch(node, policy(), client=False) == dict.fromkeys(DEPLOYED)


def test_a_node_whose_gpus_have_gone_says_so() -> None:
    node = DEPLOYED | {"nvidia.com/gpu.present": "true"}

    assert label_patch(node, policy(), client=False) == {**dict.fromkeys(DEPLOYED), "nvidia.com/gpu.present": "false"}


@pytest.mark.parametrize("reconciler", [True, False])
def test_what_wakes_the_operator(reconciler: bool) -> None:
    config = {"nvidia.com/mig.config": "all-1g.10gb"}
    manager = {"nvidia.com/gpu.deploy.mig-manager": "true"}

    assert triggers_reconcile({}, FOUND, reconciler=reconciler)
    assert triggers_reconcile(GPU_NODE, GPU_NODE | CAPABLE, reconciler=reconciler)
    assert triggers_reconcile(GPU_NODE, GPU_NODE | {"nvidia.com/gpu.deploy.operands": "false"}, reconciler=reconciler)
    assert not triggers_reconcile(
        GPU_NODE | CAPABLE | manager | config, GPU_NODE | CAPABLE | manager, reconciler=reconciler
    )
    assert not triggers_reconcile(GPU_NODE, GPU_NODE, reconciler=reconciler)


def test_losing_capability_wakes_only_the_reconciler() -> None:
    node = GPU_NODE | {"nvidia.com/gpu.deploy.mig-manager": "true"}

    assert triggers_reconcile(node | CAPABLE, node, reconciler=True)
    assert not triggers_reconcile(node | CAPABLE, node, reconciler=False)
