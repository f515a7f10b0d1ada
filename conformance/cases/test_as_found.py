"""A node as it was found: what needs neither a configuration nor a change."""

from conformance.expect.as_found import check_counts, check_listing, check_not_failed
from conformance.expect.node import ExpectedNode
from conformance.fixtures.case import case
from conformance.suite.scenarios.as_found import AsFound, ListAsFound, Listed, LookAsFound


@case("D-01", "D-04", scenario=LookAsFound)
def test_configuration_of_the_label_has_not_failed(node: ExpectedNode, seen: AsFound) -> None:
    """A node whose label `mig.config` names a configuration MUST NOT stay in state `failed`.

    mig-manager answers `failed` to a name that the file lacks, such as one with a typo, and does not try again.
    Source: runbook, "Failure modes"; mig-parted v0.15.0, cmd/nvidia-mig-manager.
    """
    check_not_failed(node.context, seen.labels, seen.offered)


@case("D-06", "D-07", "D-26", scenario=LookAsFound)
def test_resources_and_labels_count_the_same_devices(node: ExpectedNode, seen: AsFound) -> None:
    """Whoever made its MIG devices, a node MUST advertise as many of each resource as its labels count.

    Source: k8s-device-plugin v0.20.0, internal/rm and internal/lm: both programs read the same GPUs.
    """
    check_counts(node.context, seen.labels, seen.allocatable, node.strategy, node.device_plugin)


@case("D-18", "D-26", scenario=ListAsFound)
def test_nvidia_smi_lists_what_the_labels_count(node: ExpectedNode, seen: Listed) -> None:
    """Whoever made its MIG devices, `nvidia-smi -L` on the node MUST list as many of each profile as the labels count.

    Source: runbook, "Apply & verify", step 3; k8s-device-plugin v0.20.0, internal/lm.
    """
    check_listing(node.context, seen.labels, seen.listing, node.strategy)
