"""A node as it was found: what needs neither a configuration nor a change."""

from conformance.expect.as_configured import (
    check_instances_listed,
    check_labels_as_configured,
    check_listing_as_configured,
)
from conformance.expect.as_found import check_counts, check_listing, check_not_failed, check_settled
from conformance.expect.node import ExpectedNode
from conformance.fixtures.case import case
from conformance.suite.scenarios.as_found import (
    AsFound,
    Configured,
    ListAsConfigured,
    ListAsFound,
    Listed,
    ListedAsConfigured,
    LookAsConfigured,
    LookAsFound,
)


@case("D-01", "D-04", scenario=LookAsFound)
def test_configuration_of_the_label_has_not_failed(node: ExpectedNode, seen: AsFound) -> None:
    """A node whose label `mig.config` names a configuration MUST NOT stay in state `failed`.

    mig-manager answers `failed` to a name that the file lacks, such as one with a typo, and does not try again.
    Source: runbook, "Failure modes"; mig-parted v0.15.0, cmd/nvidia-mig-manager.
    """
    check_not_failed(node.context, seen.labels, seen.offered)


@case("D-02", "D-05", scenario=LookAsFound)
def test_last_change_has_ended(node: ExpectedNode, seen: AsFound) -> None:
    """A node MUST NOT stay in state `pending` or `rebooting`, and an operand MUST NOT stay paused after the change.

    Source: runbook, "What it is"; mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go.
    """
    check_settled(node.context, seen.labels)


@case("D-01", "D-09", "D-26", scenario=LookAsConfigured)
def test_labels_describe_the_configuration_as_found(node: ExpectedNode, seen: Configured) -> None:
    """Where mig-manager reports `success`, the labels MUST be those of the configuration that the label names.

    That is the whole family of GPU Feature Discovery, as far as the GPU model and the configuration tell it.
    Source: runbook, "What it is"; k8s-device-plugin v0.20.0, internal/lm.
    """
    check_labels_as_configured(node.context, seen.labels, seen.gpus, seen.entries, node.device_plugin.version)


@case("D-01", "D-18", scenario=ListAsConfigured)
def test_nvidia_smi_lists_the_configuration_as_found(node: ExpectedNode, seen: ListedAsConfigured) -> None:
    """Where mig-manager reports `success`, `nvidia-smi -L` MUST list the devices of the configuration on every GPU.

    Other devices were made by something else than mig-manager, or its devices are gone.
    Source: runbook, "Apply & verify", step 3; mig-parted v0.15.0, pkg/mig/config.
    """
    check_listing_as_configured(node.context, seen.listing, seen.entries, seen.capability)


@case("D-18", scenario=ListAsFound)
def test_every_gpu_instance_has_its_device_as_found(node: ExpectedNode, seen: Listed) -> None:
    """Every GPU instance of `nvidia-smi mig -lgi` MUST have a device in `nvidia-smi -L`, whatever created it.

    A GPU instance without a compute instance takes up room and gives no device.
    Source: MIG User Guide, "Creating GPU instances".
    """
    check_instances_listed(node.context, seen.listing, seen.instances)


@case("D-06", "D-07", "D-26", scenario=LookAsFound)
def test_resources_and_labels_count_the_same_devices(node: ExpectedNode, seen: AsFound) -> None:
    """A node MUST advertise as many of each resource as its labels count, whatever created its MIG devices.

    With GPUs of several models the labels count those of one: the node MUST advertise more GPUs than that.
    Source: k8s-device-plugin v0.20.0, internal/rm and internal/lm: both programs read the same GPUs.
    """
    check_counts(node.context, seen.labels, seen.allocatable, node.strategy, node.device_plugin, models=seen.models)


@case("D-18", "D-26", scenario=ListAsFound)
def test_nvidia_smi_lists_what_the_labels_count(node: ExpectedNode, seen: Listed) -> None:
    """`nvidia-smi -L` MUST list as many devices of each profile as the labels count, whatever created them.

    With GPUs of several models the labels count those of the model that they name.
    Source: runbook, "Apply & verify", step 3; k8s-device-plugin v0.20.0, internal/lm.
    """
    check_listing(node.context, seen.labels, seen.listing, node.strategy)
