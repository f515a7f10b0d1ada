"""What a node advertises: names and counts of extended resources."""

from conformance.expect.histories import check_resource_changes, check_resources_rest
from conformance.expect.kinds import GeometryKind
from conformance.expect.node import ExpectedNode
from conformance.expect.operands import check_plugin_end, check_refused_by_plugin
from conformance.expect.resources import check_capacity, check_resources
from conformance.fixtures.case import case
from conformance.spec.names import Strategy
from conformance.suite.cells import cells
from conformance.suite.scenarios.capacity import Capacity, WatchCapacity
from conformance.suite.scenarios.rest import LookAtRest, Rest
from conformance.suite.scenarios.resting import Resting, WatchRest
from conformance.suite.scenarios.stay import Stay, WatchStay

EVEN = [GeometryKind.OFF, GeometryKind.UNIFORM]
REFUSED = [GeometryKind.UNEVEN, GeometryKind.PARTIAL, GeometryKind.EMPTY]


@case("D-06", "D-09", "D-19", scenario=LookAtRest, cells=cells(strategies=[Strategy.SINGLE], kinds=EVEN))
def test_single_advertises_every_device_as_a_gpu(node: ExpectedNode, seen: Rest) -> None:
    """Under `single` a node of one profile MUST advertise its MIG devices as `nvidia.com/gpu`, and nothing else.

    Without MIG it MUST advertise its GPUs under that name. Seven 1g slices of one GPU count seven.
    Source: runbook, "Apply & verify", step 4; k8s-device-plugin v0.20.0, internal/rm.
    """
    other = node.resources_of_other_strategy

    check_resources(node.context, seen.allocatable, node.resources, other_strategy=other)


@case("D-07", "D-09", "D-19", scenario=LookAtRest, cells=cells(strategies=[Strategy.MIXED]))
def test_mixed_advertises_every_profile_by_name(node: ExpectedNode, seen: Rest) -> None:
    """Under `mixed` each profile MUST be advertised as `nvidia.com/mig-<profile>` with its exact count.

    GPUs without MIG MUST stay `nvidia.com/gpu`; a GPU in MIG mode MUST NOT be advertised as a whole. A device plugin
    that cannot advertise the geometry MUST say why.
    Source: runbook, "Apply & verify", step 4; k8s-device-plugin v0.20.0, internal/rm and internal/cdi.
    """
    end, other = seen.plugin_end, node.resources_of_other_strategy

    check_resources(node.context, seen.allocatable, node.resources, other_strategy=other)
    check_plugin_end(node.context, end.exit_code, end.restarts, end.log, node.refusal)


@case("D-06", "D-09", scenario=LookAtRest, cells=cells(strategies=[Strategy.SINGLE], kinds=REFUSED))
def test_single_advertises_nothing_for_an_uneven_geometry(node: ExpectedNode, seen: Rest) -> None:
    """Under `single` a node whose MIG devices differ, or are missing on a GPU, MUST advertise nothing.

    The device plugin MUST end with an error that says why, and is started again by kubelet. Devices whose profiles
    differ by name alone, such as 1g.24gb and 1g.24gb+gfx, do not differ to it: they MUST be advertised.
    Source: k8s-device-plugin v0.20.0, internal/rm/device_map.go.
    """
    end, other = seen.plugin_end, node.resources_of_other_strategy

    check_resources(node.context, seen.allocatable, node.resources, other_strategy=other)
    check_refused_by_plugin(node.context, end.exit_code, end.restarts, end.log, node.refusal)


@case("D-06", "D-07", scenario=WatchCapacity, cells=cells(kinds=[*EVEN, GeometryKind.UNEVEN, GeometryKind.PARTIAL]))
def test_capacity_forgets_what_is_gone(node: ExpectedNode, seen: Capacity) -> None:
    """Capacity MUST equal what is advertised once kubelet's grace of five minutes for removed resources is over.

    A name that stays with a count of zero is the same as none. What is advertised again in time is not forgotten.
    Source: kubernetes v1.36, pkg/kubelet/cm/devicemanager; kubernetes issue 92396.
    """
    check_capacity(node.context, seen.when_left, node.resources, seen.leftovers, grace=seen.grace, now=seen.now)


@case("D-06", "D-07", scenario=WatchStay)
def test_counts_change_once_and_take_no_other_value(node: ExpectedNode, seen: Stay) -> None:
    """On the way to a geometry each count MUST go from its former value to the new one, by way of zero at most.

    Capacity may keep the former value meanwhile.
    Source: kubernetes v1.36, pkg/kubelet/cm/devicemanager: counts are those of the plugin that is registered.
    """
    check_resource_changes(node.context, seen.resource_changes, node.stages)


@case("D-06", "D-07", scenario=WatchRest)
def test_counts_stay_until_the_node_is_asked_again(node: ExpectedNode, seen: Resting) -> None:
    """Once a node is at rest, allocatable and capacity MUST NOT change, even for a moment.

    Capacity may forget what is gone. Source: kubernetes v1.36, pkg/kubelet/cm/devicemanager.
    """
    check_resources_rest(node.context, seen.resource_changes, node.resources)
