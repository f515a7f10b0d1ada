"""GPUs must be idle for a change: what is in use stays, and the request succeeds once nobody uses it."""

from conformance.expect.busy import check_holder_unharmed, check_not_booted
from conformance.expect.geometry import wanted_geometry
from conformance.expect.hardware import check_geometry
from conformance.expect.interruptions import check_in_cell
from conformance.expect.kinds import SLICED, GeometryKind
from conformance.expect.node import ExpectedNode
from conformance.expect.resources import expected_resources
from conformance.expect.scheduling import StartedPod, check_run
from conformance.expect.transitions import Course
from conformance.expect.trials import check_courses, check_gpus_kept, check_reason, check_users_left_alone
from conformance.fixtures.case import case
from conformance.spec.names import Strategy
from conformance.suite.cells import ANY_UNIFORM_CELL, cells
from conformance.suite.scenarios.busy import Busy, RequestWhileBusy, StartPodsDuringChange
from conformance.suite.scenarios.busy_neighbour import FIRST, BusyNeighbour, ChangeBesideBusyGpu

WHOLE_GPUS = cells(kinds=[GeometryKind.OFF], once=True)
ONE_OF_MIXED = cells(strategies=[Strategy.MIXED], kinds=SLICED, once=True)


@case("D-13", scenario=RequestWhileBusy, cells=ANY_UNIFORM_CELL)
def test_busy_slice_is_not_taken_from_its_pod(node: ExpectedNode, seen: Busy) -> None:
    """While a process uses a MIG device, another configuration MUST end in `failed`, with the reason in the log.

    The device MUST stay, and the pod MUST run on. Source: runbook, "Prerequisites" and "Failure modes"; mig-parted
    v0.15.0, pkg/mig/config: the driver refuses to destroy an instance that is in use.
    """
    check_courses(node.context, seen.refused, [Course.FAILED], node.mig_manager)
    check_reason(node.context, seen.refused, "applying MIG configuration")
    check_holder_unharmed(node.context, seen.holder, seen.refused.after.gpus)
    check_users_left_alone(node.context, seen.refused)


@case("D-13", "D-17", scenario=RequestWhileBusy, cells=WHOLE_GPUS)
def test_busy_gpu_keeps_its_mode(node: ExpectedNode, seen: Busy) -> None:
    """While a process uses a whole GPU, a configuration with MIG MUST end in `failed`; the pod MUST run on.

    Without WITH_REBOOT the node MUST NOT reboot, although the new mode waits for it.
    Source: runbook, "Failure modes"; gpu-operator issue 1845; mig-parted v0.15.0, cmd/nvidia-mig-parted/apply/mode.go.
    """
    check_courses(node.context, seen.refused, [Course.FAILED], node.mig_manager)
    check_not_booted(node.context, seen.boots)
    check_holder_unharmed(node.context, seen.holder, seen.refused.after.gpus)


@case("D-13", scenario=RequestWhileBusy, cells=cells(kinds=[GeometryKind.OFF, GeometryKind.UNIFORM], once=True))
def test_drained_node_takes_the_configuration(node: ExpectedNode, seen: Busy) -> None:
    """Once no process uses the GPUs any more, the same request MUST end in `success` with the whole layout.

    Source: runbook, "Failure modes": drain, then set the label again.
    """
    wanted = wanted_geometry(seen.drained.before.gpus, seen.entries)

    check_in_cell(node.context, seen.drained, wanted, expected_resources(wanted, node.strategy, node.device_plugin))


@case("D-13", "D-16", scenario=ChangeBesideBusyGpu, cells=ONE_OF_MIXED)
def test_change_of_one_gpu_leaves_a_busy_one_alone(node: ExpectedNode, seen: BusyNeighbour) -> None:
    """While a process uses a slice of one GPU, a configuration that changes only another GPU MUST be applied.

    The pod MUST run on, and every GPU that has its layout already MUST keep its MIG devices with their UUIDs.
    Source: mig-parted v0.15.0, cmd/nvidia-mig-parted/apply/config.go: a GPU with the wanted devices is left alone.
    """
    check_courses(seen.expected.context, seen.trial, [Course.CHANGED], node.mig_manager)
    check_geometry(seen.expected.context, seen.trial.after.gpus, seen.expected.wanted)
    check_gpus_kept(seen.expected.context, seen.trial, but=[FIRST])
    check_holder_unharmed(seen.expected.context, seen.holder, seen.trial.after.gpus)


@case("D-13", scenario=ChangeBesideBusyGpu, cells=ONE_OF_MIXED)
def test_busy_slice_of_another_gpu_is_not_taken(node: ExpectedNode, seen: BusyNeighbour) -> None:
    """While a process uses a slice of another GPU than the first, a change of every GPU MUST end in `failed`.

    The device MUST stay, and the pod MUST run on. Source: mig-parted v0.15.0, pkg/mig/config: the driver refuses to
    destroy an instance that is in use, on whatever GPU it is.
    """
    check_courses(node.context, seen.refused, [Course.FAILED], node.mig_manager)
    check_reason(node.context, seen.refused, "applying MIG configuration")
    check_holder_unharmed(node.context, seen.held_on, seen.refused.after.gpus)
    check_users_left_alone(node.context, seen.refused)


@case("D-20", scenario=StartPodsDuringChange, cells=ANY_UNIFORM_CELL)
def test_pods_created_during_a_change_run_after_it(node: ExpectedNode, seen: tuple[StartedPod, ...]) -> None:
    """Pods that ask for a device while the GPUs are changed MUST wait, and run once the layout is there.

    They MUST NOT end in an UnexpectedAdmissionError, which only a new pod can mend.
    Source: kubernetes issues 125579 and 116376; k8s-device-plugin issue 1223.
    """
    check_run(node.context, seen)
