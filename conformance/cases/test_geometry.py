"""The GPUs themselves, read back through NVML and nvidia-smi."""

from conformance.expect.hardware import check_geometry, check_instances, check_mode_settled, check_requested
from conformance.expect.listings import check_device_list, check_same_devices, check_unique_across_nodes
from conformance.expect.node import ExpectedNode
from conformance.fixtures.case import case
from conformance.suite.scenarios.hardware import Hardware, ReadHardware
from conformance.suite.scenarios.identity import CompareIdentities, Identities


@case("D-01", "D-09", scenario=ReadHardware)
def test_every_gpu_carries_the_configured_geometry(node: ExpectedNode, seen: Hardware) -> None:
    """Every GPU of the node MUST have the MIG mode and exactly the MIG devices of the configuration.

    Every GPU instance MUST have a compute instance, and a change of the mode MUST NOT be left pending.
    Source: runbook, "What it is"; mig-parted v0.15.0, configuration format v1.
    """
    check_geometry(node.context, seen.gpus, node.wanted)
    check_mode_settled(node.context, seen.gpus)


@case("D-23", scenario=ReadHardware)
def test_success_is_not_a_wiped_gpu(node: ExpectedNode, seen: Hardware) -> None:
    """A configuration that ends in `success` MUST leave MIG devices of every profile that it asks for.

    For a profile that no GPU of the node offers, mig-parted deletes all instances, creates none, and reports success.
    Source: mig-parted v0.15.0, pkg/mig/config; gpu-operator issue 603; runbook, "Failure modes".
    """
    check_requested(node.context, seen.gpus, node.requested)


@case("D-01", scenario=ReadHardware)
def test_every_device_is_what_its_profile_says(node: ExpectedNode, seen: Hardware) -> None:
    """Every MIG device MUST have the slices, memory, SMs and engines of its profile at a legal placement.

    GPU instances of a GPU MUST NOT overlap, and a UUID MUST NOT occur twice.
    Source: MIG User Guide, "Supported MIG profiles"; readings of H100 and H200 under driver 580.
    """
    check_instances(node.context, seen.gpus)


@case("D-18", "D-19", scenario=ReadHardware)
def test_nvidia_smi_lists_one_line_for_each_device(node: ExpectedNode, seen: Hardware) -> None:
    """`nvidia-smi -L` on the node MUST print every GPU with one `MIG <profile> Device N` line for each device.

    They MUST be the GPUs and devices that NVML knows. Source: runbook, "Apply & verify", step 3.
    """
    check_device_list(node.context, seen.listing, node.wanted)
    check_same_devices(node.context, seen.listing, seen.gpus)


@case("D-18", scenario=CompareIdentities)
def test_no_device_has_the_uuid_of_one_on_another_node(node: ExpectedNode, seen: Identities) -> None:
    """A GPU or MIG device MUST NOT have the UUID of one on another node.

    Metrics and the pods of several nodes are told apart by UUID alone.
    Source: runbook, "Apply & verify", step 3; NVML API reference, nvmlDeviceGetUUID.
    """
    check_unique_across_nodes(node.context, seen.holders)
