"""The label `mig.config` between requests: removed, emptied, set again, and changed while mig-manager is at work."""

from conformance.expect.hardware import check_geometry
from conformance.expect.interruptions import check_in_cell
from conformance.expect.label_runs import (
    check_ignored,
    check_removed_meanwhile,
    check_requested,
    check_runs,
    wanted_after_removal,
)
from conformance.expect.node import ExpectedNode
from conformance.expect.transitions import Course
from conformance.expect.trials import check_courses, check_never_advertised
from conformance.fixtures.case import case
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.suite.cells import ANY_UNIFORM_CELL
from conformance.suite.scenario import Needs
from conformance.suite.scenarios.default_label import ClearDefault, DefaultLabel
from conformance.suite.scenarios.label_life import BusyLabel, ChangeLabelDuringRun, IdleLabel, TouchLabelWhileIdle


@case("D-02", "D-01", scenario=TouchLabelWhileIdle, cells=ANY_UNIFORM_CELL, needs=Needs(operator_ignores_removal=True))
def test_removed_or_emptied_label_changes_nothing(node: ExpectedNode, seen: IdleLabel) -> None:
    """A label that is removed or emptied while mig-manager is idle MUST change neither state nor GPUs nor operands.

    The same value set again after the removal MUST be tried again, and find the configuration applied.
    Source: mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go: an empty value wakes nobody; recorded.
    """
    check_ignored(node.context, seen.removed, "the label was removed")
    check_ignored(node.context, seen.emptied, "the label was emptied")
    check_runs(node.context, seen.set_again, [seen.set_again.configuration])
    check_courses(node.context, seen.set_again, [Course.ALREADY], node.mig_manager)
    check_in_cell(node.context, seen.back, node.wanted, node.resources)


@case("D-22", "D-02", scenario=TouchLabelWhileIdle, cells=ANY_UNIFORM_CELL)
def test_same_value_is_no_retry(node: ExpectedNode, seen: IdleLabel) -> None:
    """After `failed`, the same value set once more MUST NOT be tried again; another value MUST be.

    Source: mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go: only a change of the value counts; recorded.
    """
    check_ignored(node.context, seen.repeated, "the value did not change")
    check_in_cell(node.context, seen.recovery, node.wanted, node.resources)


@case("D-02", scenario=ChangeLabelDuringRun, cells=ANY_UNIFORM_CELL)
def test_label_removed_during_a_run_fails_after_it(node: ExpectedNode, seen: BusyLabel) -> None:
    """A run MUST go on to `success` when its label is removed, and the empty name MUST then end in `failed`.

    The GPUs MUST keep what the run gave them, unless the operator gave the node its default meanwhile.
    Source: mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go and cmd/nvidia-mig-parted/assert: without a name, a file
    with several configurations is refused; recorded.
    """
    check_removed_meanwhile(seen.other.context, seen.removed, node.mig_manager)
    wanted = wanted_after_removal(seen.removed, seen.other.wanted)
    check_geometry(seen.other.context, seen.removed.after.gpus, wanted)


@case("D-02", "D-01", scenario=ChangeLabelDuringRun, cells=ANY_UNIFORM_CELL)
def test_only_the_last_label_of_a_run_counts(node: ExpectedNode, seen: BusyLabel) -> None:
    """Of several values set during a run only the last MUST be applied, after that run.

    A whole GPU MUST NOT be advertised between them, unless a configuration on the way has one. A value that
    was replaced in time MUST NOT be seen at all. The cell MUST be reached again afterwards.
    Source: mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go: one slot, the latest value wins; recorded.
    """
    check_runs(node.context, seen.changed_twice, [node.context.configuration, seen.other.context.configuration])
    check_courses(node.context, seen.changed_twice, [Course.CHANGED, Course.CHANGED], node.mig_manager)
    check_geometry(seen.other.context, seen.changed_twice.after.gpus, seen.other.wanted)
    check_never_advertised(node.context, seen.changed_twice, [node.resources, seen.other.resources])
    check_in_cell(node.context, seen.recovery, node.wanted, node.resources)


@case("D-14", scenario=ClearDefault, cells=ANY_UNIFORM_CELL)
def test_no_default_is_written_if_it_is_empty(node: ExpectedNode, seen: DefaultLabel) -> None:
    """If its default is empty, the operator MUST NOT set the label on a node that has none.

    Source: runbook, "Configuration"; gpu-operator v26.7.0, controllers/nodelabeling_controller.go.
    """
    check_requested(node.context, seen.without, None)
    check_ignored(node.context, seen.without, "the label was removed, and there is no default")


@case("D-14", scenario=ClearDefault, cells=ANY_UNIFORM_CELL)
def test_default_is_written_and_applied(node: ExpectedNode, seen: DefaultLabel) -> None:
    """The operator MUST set the label of a node that has none to its default, and the default MUST be applied.

    The configuration of the cell MUST be applied afterwards, when somebody requests it.
    Source: runbook, "Configuration"; gpu-operator v26.7.0, controllers/nodelabeling_controller.go.
    """
    check_requested(node.context, seen.stamped, ALL_DISABLED)
    check_courses(node.context, seen.stamped, [Course.CHANGED], node.mig_manager)
    check_geometry(seen.expected.context, seen.stamped.after.gpus, seen.expected.wanted)
    check_in_cell(node.context, seen.recovery, node.wanted, node.resources)
