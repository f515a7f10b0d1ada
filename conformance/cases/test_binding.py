"""What a pod gets that asks for one device."""

import pytest

from conformance.expect.devices import (
    check_not_shared,
    check_one_device,
    check_same_devices,
    check_size,
    check_whole_gpu,
)
from conformance.fixtures.cells import SLICED, Geometry, cells
from conformance.fixtures.markers import requirement
from conformance.fixtures.node import MigNode, uuids
from conformance.fixtures.workloads import Workloads
from conformance.spec.names import Strategy

UNADVERTISED = [(Strategy.SINGLE, Geometry.UNEVEN)]


@requirement("D-20", "D-19")
@cells(geometries=SLICED, besides=UNADVERTISED)
@pytest.mark.workload
def test_pod_gets_one_device_and_not_the_whole_gpu(node: MigNode, workloads: Workloads) -> None:
    """A pod that asks for one slice MUST see exactly one MIG device, of the profile that it asked for.

    It MUST be one of the node's and have the memory and multiprocessors of its profile, and NVML MUST show no other.
    Source: runbook, "Apply & verify", step 5.
    """
    seen = workloads.devices(workloads.start(node.resource))

    check_one_device(node.place, seen.listing, node.profiles, node.profile_of(node.resource))
    check_same_devices(node.place, seen.listing, seen.gpus)
    check_size(node.place, seen.gpus, node.gpus)


@requirement("D-20")
@cells(geometries=[Geometry.OFF])
@pytest.mark.workload
def test_pod_gets_one_whole_gpu_where_mig_is_off(node: MigNode, workloads: Workloads) -> None:
    """Without MIG a pod that asks for `nvidia.com/gpu` MUST see exactly one whole GPU of the node.

    Source: k8s-device-plugin v0.20.0, internal/rm.
    """
    seen = workloads.devices(workloads.start(node.resource))

    check_whole_gpu(node.place, seen.listing, [gpu.uuid for gpu in node.gpus])
    check_same_devices(node.place, seen.listing, seen.gpus)


@requirement("D-20")
@cells(geometries=SLICED, besides=UNADVERTISED)
@pytest.mark.workload
def test_neighbours_get_different_devices(node: MigNode, neighbours: Workloads) -> None:
    """Two pods that run at the same time MUST NOT see a device of each other.

    Source: runbook, "Apply & verify", step 5; the devices of neighbours are held while they are compared.
    """
    one, other = neighbours.start(node.resource), neighbours.start(node.resource)

    held = {pod.name: uuids(neighbours.devices(pod).listing) for pod in (one, other)}
    check_not_shared(node.place, held)
