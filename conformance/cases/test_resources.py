"""What a node advertises: names and counts of extended resources."""

import pytest

from conformance.expect.operands import check_refused_by_plugin
from conformance.expect.resources import check_resources
from conformance.fixtures.cells import SLICED, Geometry, cells
from conformance.fixtures.markers import requirement
from conformance.fixtures.node import MigNode
from conformance.spec.names import Strategy


@requirement("D-06", "D-09", "D-19")
@cells(strategies=[Strategy.SINGLE], geometries=[Geometry.OFF, Geometry.UNIFORM])
@pytest.mark.readonly
def test_single_advertises_every_device_as_a_gpu(node: MigNode) -> None:
    """Under `single` a node of one profile MUST advertise its MIG devices as `nvidia.com/gpu`, and nothing else.

    Without MIG it MUST advertise its GPUs under that name. Seven 1g slices of one GPU count seven.
    Source: runbook, "Apply & verify", step 4; k8s-device-plugin v0.20.0, internal/rm.
    """
    check_resources(node.place, node.allocatable, node.state.resources, other_strategy=node.resources_of_other_strategy)


@requirement("D-07", "D-09", "D-19")
@cells(strategies=[Strategy.MIXED])
@pytest.mark.readonly
def test_mixed_advertises_every_profile_by_name(node: MigNode) -> None:
    """Under `mixed` each profile MUST be advertised as `nvidia.com/mig-<profile>` with its exact count.

    GPUs without MIG MUST stay `nvidia.com/gpu`; a GPU in MIG mode MUST NOT be advertised as a whole.
    Source: runbook, "Apply & verify", step 4; k8s-device-plugin v0.20.0, internal/rm.
    """
    check_resources(node.place, node.allocatable, node.state.resources, other_strategy=node.resources_of_other_strategy)


@requirement("D-06", "D-09")
@cells(strategies=[Strategy.SINGLE], geometries=[Geometry.UNEVEN, Geometry.PARTIAL, Geometry.EMPTY])
@pytest.mark.readonly
def test_single_advertises_nothing_for_an_uneven_geometry(node: MigNode) -> None:
    """Under `single` a node whose MIG devices differ, or are missing on a GPU, MUST advertise nothing.

    The device plugin MUST end with an error that says why, and is started again by kubelet.
    Source: k8s-device-plugin v0.20.0, internal/rm/device_map.go.
    """
    end = node.plugin_end

    check_resources(node.place, node.allocatable, {}, other_strategy=node.resources_of_other_strategy)
    check_refused_by_plugin(node.place, end.exit_code, end.restarts, end.log, node.refusal)


@requirement("D-06", "D-07")
@cells(geometries=[Geometry.OFF, *SLICED, Geometry.PARTIAL])
@pytest.mark.readonly
def test_capacity_forgets_what_is_gone(node: MigNode) -> None:
    """Capacity MUST equal what is advertised once kubelet's grace of five minutes for removed resources is over.

    A name that stays with a count of zero is the same as none.
    Source: kubernetes v1.36, pkg/kubelet/cm/devicemanager; kubernetes issue 92396.
    """
    check_resources(node.place, node.capacity_after_grace, node.state.resources)
