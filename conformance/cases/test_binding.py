"""The device that a pod gets when it asks for one."""

from conformance.expect.devices import check_all_taken, check_gpu_users, check_neighbours, check_slice_users
from conformance.expect.kinds import SLICED, GeometryKind
from conformance.expect.node import ExpectedNode
from conformance.expect.scheduling import check_run, check_stays_pending
from conformance.expect.slice_use import check_bounded, check_no_peers, check_unreachable
from conformance.fixtures.case import case
from conformance.spec.names import Strategy
from conformance.suite.cells import cells
from conformance.suite.scenario import Needs
from conformance.suite.scenarios.device_users import DeviceUsers, UseDevices
from conformance.suite.scenarios.full_node import FullNode, TakeEveryDevice

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
    """Pods that run at the same time MUST NOT see each other's devices. A pod that starts later MUST NOT see theirs.

    Source: runbook, "Apply & verify", step 5; all pods hold their devices while they are compared.
    """
    check_neighbours(node.context, seen.users)


ONE_FULL = cells(kinds=SLICED, exclude=UNADVERTISED, once=True)


@case("D-20", scenario=TakeEveryDevice, cells=ONE_FULL)
def test_all_slices_can_be_taken_at_once(node: ExpectedNode, seen: FullNode) -> None:
    """Pods that take all slices of a resource at the same time MUST each get a different device of the node.

    Source: runbook, "Apply & verify", step 5; k8s-device-plugin v0.20.0, internal/rm.
    """
    check_all_taken(node.context, seen.users, seen.gpus, seen.resource, seen.count)


@case("D-20", "D-21", scenario=TakeEveryDevice, cells=ONE_FULL)
def test_next_pod_waits_for_a_free_slice(node: ExpectedNode, seen: FullNode) -> None:
    """While all slices are taken, one more pod MUST stay Pending with the reason, and run once a slice is free.

    Source: runbook, "Failure modes"; message as of kube-scheduler v1.36.
    """
    check_stays_pending(node.context, seen.waiting, insufficient=seen.resource)
    check_run(node.context, [seen.after])


@case("D-20", scenario=TakeEveryDevice, cells=ONE_FULL)
def test_process_has_what_its_profile_gives(node: ExpectedNode, seen: FullNode) -> None:
    """A process on a slice MUST find memory and multiprocessors of its profile, and no more memory than that.

    Source: runbook, "What it is".
    """
    check_bounded(node.context, seen.tried)


@case("D-20", scenario=TakeEveryDevice, cells=ONE_FULL, needs=Needs(neighbours=True))
def test_process_cannot_leave_its_slice(node: ExpectedNode, seen: FullNode) -> None:
    """A process MUST NOT reach the slice of another pod on the same GPU, not even by UUID.

    Source: runbook, "What it is"; MIG User Guide, "CUDA device enumeration".
    """
    check_unreachable(node.context, seen.tried)


@case("D-27", scenario=TakeEveryDevice, cells=ONE_FULL)
def test_slices_have_no_link(node: ExpectedNode, seen: FullNode) -> None:
    """A process with two slices MUST NOT be offered access from one to the memory of the other.

    Source: runbook, "Failure modes"; MIG User Guide, "Application considerations": no GPU to GPU P2P.
    """
    check_no_peers(node.context, seen.tried)
