"""The device that a pod gets when it asks for one."""

from conformance.expect.devices import check_gpu_users, check_neighbours, check_slice_users
from conformance.expect.kinds import SLICED, GeometryKind
from conformance.expect.node import ExpectedNode
from conformance.fixtures.case import case
from conformance.spec.names import Strategy
from conformance.suite.cells import cells
from conformance.suite.scenario import Needs
from conformance.suite.scenarios.device_users import DeviceUsers, UseDevices

PARTED = [*SLICED, GeometryKind.PARTIAL]
UNADVERTISED = [(Strategy.SINGLE, GeometryKind.UNEVEN), (Strategy.SINGLE, GeometryKind.PARTIAL)]


@case("D-20", "D-19", scenario=UseDevices, cells=cells(kinds=PARTED, exclude=UNADVERTISED))
def test_pod_gets_one_device_and_not_the_whole_gpu(node: ExpectedNode, seen: DeviceUsers) -> None:
    """A pod that asks for one slice MUST see exactly one MIG device, of the profile that it asked for.

    It MUST be one of the node's and have the memory and multiprocessors of its profile, and NVML MUST show no other.
    That holds for every profile of the node. Where GPUs without MIG are beside the slices, a pod that asks for
    `nvidia.com/gpu` MUST get one of them. The container that holds the device MUST see the same as the init containers.
    Source: runbook, "Apply & verify", step 5.
    """
    check_slice_users(node.context, seen.users, seen.gpus, node.profile_of)


@case("D-20", scenario=UseDevices, cells=cells(kinds=[GeometryKind.OFF]))
def test_pod_gets_one_whole_gpu_where_mig_is_off(node: ExpectedNode, seen: DeviceUsers) -> None:
    """Without MIG a pod that asks for `nvidia.com/gpu` MUST see exactly one whole GPU of the node.

    Source: k8s-device-plugin v0.20.0, internal/rm.
    """
    check_gpu_users(node.context, seen.users, seen.gpus)


@case("D-20", scenario=UseDevices, cells=cells(kinds=PARTED, exclude=UNADVERTISED), needs=Needs(devices=2))
def test_neighbours_get_different_devices(node: ExpectedNode, seen: DeviceUsers) -> None:
    """Pods that run at the same time MUST NOT see each other's devices, nor a pod that starts later theirs.

    Source: runbook, "Apply & verify", step 5; all pods hold their devices while they are compared.
    """
    check_neighbours(node.context, seen.users)
