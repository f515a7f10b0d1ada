"""The node reboots: its layout follows the label, and nothing else is offered on the way."""

from conformance.expect.geometry import wanted_geometry
from conformance.expect.interruptions import (
    check_booted_once,
    check_course_after_restart,
    check_in_cell,
    check_mode_after_reboot,
    check_no_devices,
    check_reboot_for_mode,
    check_state_left_alone,
)
from conformance.expect.kinds import GeometryKind
from conformance.expect.node import ExpectedNode
from conformance.expect.scheduling import check_stays_pending
from conformance.expect.transitions import Course
from conformance.expect.trials import check_never_advertised
from conformance.fixtures.case import case
from conformance.spec.names import Strategy
from conformance.suite.cells import ANY_UNIFORM_CELL, cells
from conformance.suite.scenarios.mode_reboots import ModeReboot, RebootForMode
from conformance.suite.scenarios.reboots import (
    ChangedReboot,
    Reboot,
    RebootNode,
    RebootWithOtherLabel,
    RebootWithoutLabel,
    UnlabelledReboot,
)

MIXED_ONCE = cells(strategies=[Strategy.MIXED], kinds=[GeometryKind.UNIFORM], once=True, instead=GeometryKind.UNEVEN)


@case("D-24", scenario=RebootNode, cells=ANY_UNIFORM_CELL)
def test_reboot_brings_the_same_layout_back(node: ExpectedNode, seen: Reboot) -> None:
    """After a reboot mig-manager MUST make the layout of the label again, with its resources and no operand paused.

    The node MUST boot exactly once, and the state MUST go from `pending` to `success`.
    Source: runbook, "Failure modes"; mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go.
    """
    check_booted_once(node.context, seen.boots)
    check_course_after_restart(node.context, seen.trial, Course.CHANGED, node.mig_manager)
    check_in_cell(node.context, seen.trial, node.wanted, node.resources)


@case("D-24", scenario=RebootNode, cells=ANY_UNIFORM_CELL)
def test_reboot_offers_nothing_but_the_layout(node: ExpectedNode, seen: Reboot) -> None:
    """Between reboot and `success` the node MUST NOT advertise anything that the layout does not have: no whole GPU.

    A pod that waits for a device would get a whole GPU, and then keep mig-manager from making the layout.
    Source: runbook, "Failure modes"; gpu-operator issue 2670.
    """
    check_never_advertised(node.context, seen.trial, [node.resources])


@case("D-25", scenario=RebootWithoutLabel, cells=MIXED_ONCE)
def test_layout_stays_gone_without_the_label(node: ExpectedNode, seen: UnlabelledReboot) -> None:
    """After a reboot without the label the GPUs MUST NOT have a MIG device, and mig-manager MUST NOT write a state.

    A pod that asks for a slice MUST stay Pending. Once the label is set again the layout MUST be there.
    Source: runbook, "Failure modes"; mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go.
    """
    check_no_devices(node.context, seen.reboot.trial.after.gpus)
    check_state_left_alone(node.context, seen.reboot.trial)
    check_stays_pending(node.context, seen.waiting, insufficient=min(node.resources))
    check_in_cell(node.context, seen.recovery, node.wanted, node.resources)


@case("D-12", scenario=RebootWithoutLabel, cells=MIXED_ONCE)
def test_mode_outlives_a_reboot_on_ampere_alone(node: ExpectedNode, seen: UnlabelledReboot) -> None:
    """A reboot MUST leave the MIG mode on where the GPU is an Ampere, and off on every later generation.

    Source: MIG User Guide, "MIG mode"; runbook, "Prerequisites".
    """
    check_booted_once(node.context, seen.reboot.boots)
    check_mode_after_reboot(node.context, seen.reboot.trial)


@case("D-17", "D-12", scenario=RebootForMode, cells=cells(kinds=[GeometryKind.OFF], once=True))
def test_node_reboots_once_where_the_mode_needs_it(node: ExpectedNode, seen: ModeReboot) -> None:
    """With WITH_REBOOT the node MUST reboot once if the MIG mode cannot be set, and the state MUST be `rebooting` once.

    After the boot the state MUST become `success` on Ampere. Later generations have lost the mode: it MUST become
    `failed`, without another reboot. Source: runbook, "Failure modes"; mig-parted v0.15.0, pkg/mig/reconfigure.
    """
    wanted = wanted_geometry(seen.trial.before.gpus, seen.entries)

    check_booted_once(node.context, seen.boots)
    check_reboot_for_mode(node.context, seen.trial, wanted, node.mig_manager)


@case("D-25", scenario=RebootWithOtherLabel, cells=ANY_UNIFORM_CELL)
def test_label_changed_during_a_reboot_is_what_counts(node: ExpectedNode, seen: ChangedReboot) -> None:
    """If the label changes while the node is away, the former layout MUST NOT come back, not even for a moment.

    Source: runbook, "Failure modes"; mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go: the label is read at start.
    """
    check_no_devices(node.context, seen.reboot.trial.after.gpus)
    check_in_cell(node.context, seen.recovery, node.wanted, node.resources)
