"""Requests that mig-manager must refuse, and what must stay as it was."""

from conformance.expect.interruptions import check_in_cell
from conformance.expect.label_runs import check_stuck
from conformance.expect.node import ExpectedNode
from conformance.expect.transitions import Course
from conformance.expect.trial import Refusal
from conformance.expect.trials import (
    check_courses,
    check_gpus_kept,
    check_operands_left_alone,
    check_reason,
    check_refused,
    check_resources_kept,
    check_users_left_alone,
)
from conformance.fixtures.case import case
from conformance.suite.cells import ANY_UNIFORM_CELL
from conformance.suite.scenarios.stuck_operand import KeepPlugin, StuckOperand
from conformance.suite.scenarios.unknown_name import RequestBareProfile, RequestUnknownName


@case("D-22", "D-02", scenario=RequestUnknownName, cells=ANY_UNIFORM_CELL)
def test_unknown_name_is_refused(node: ExpectedNode, seen: Refusal) -> None:
    """A name that the mig-parted file lacks MUST end in `failed` without `pending`, and operands MUST NOT be paused.

    Source: runbook, "Failure modes"; mig-parted v0.15.0, cmd/nvidia-mig-parted/assert and pkg/mig/reconfigure.
    """
    check_refused(node.context, seen.trial, node.mig_manager)


@case("D-03", scenario=RequestUnknownName, cells=ANY_UNIFORM_CELL)
def test_log_names_the_unknown_configuration(node: ExpectedNode, seen: Refusal) -> None:
    """mig-manager's log MUST say that the file has no configuration of this name: no other place gives the reason.

    Source: mig-parted v0.15.0, cmd/nvidia-mig-parted/assert; mig-parted issue 189.
    """
    check_reason(node.context, seen.trial, f"selected mig-config not present: {seen.trial.configuration}")


@case("D-22", scenario=RequestUnknownName, cells=ANY_UNIFORM_CELL)
def test_unknown_name_changes_nothing(node: ExpectedNode, seen: Refusal) -> None:
    """GPUs, operands, resources and pods of users MUST be the same after a name that does not exist.

    The same means the same UUIDs of MIG devices, the same pods without a restart, and never another resource.
    Source: runbook, "Failure modes"; mig-parted v0.15.0, pkg/mig/reconfigure: the name is checked before all else.
    """
    check_gpus_kept(node.context, seen.trial)
    check_operands_left_alone(node.context, seen.trial)
    check_resources_kept(node.context, seen.trial)
    check_users_left_alone(node.context, seen.trial)


@case("D-22", scenario=RequestUnknownName, cells=ANY_UNIFORM_CELL)
def test_next_good_name_works_after_an_unknown_one(node: ExpectedNode, seen: Refusal) -> None:
    """The next request for a name that exists MUST succeed, and the node MUST be as it was before.

    Source: runbook, "Failure modes"; mig-parted v0.15.0, cmd/nvidia-mig-manager: every change of the label is tried.
    """
    check_in_cell(node.context, seen.recovery, node.wanted, node.resources)


@case("D-22", "D-03", scenario=RequestBareProfile, cells=ANY_UNIFORM_CELL)
def test_bare_profile_is_no_configuration(node: ExpectedNode, seen: Refusal) -> None:
    """A profile by its bare name (`1g.10gb` for `all-1g.10gb`) MUST be refused like any name that does not exist.

    It MUST change nothing, the log MUST name it, and the next good name MUST work.
    Source: runbook, "Failure modes"; mig-parted v0.15.0, cmd/nvidia-mig-parted/assert; recorded.
    """
    check_refused(node.context, seen.trial, node.mig_manager)
    check_reason(node.context, seen.trial, f"selected mig-config not present: {seen.trial.configuration}")
    check_gpus_kept(node.context, seen.trial)
    check_operands_left_alone(node.context, seen.trial)
    check_in_cell(node.context, seen.recovery, node.wanted, node.resources)


@case("D-03", "D-02", scenario=KeepPlugin, cells=ANY_UNIFORM_CELL)
def test_operand_that_cannot_end_stops_the_change_in_time(node: ExpectedNode, seen: StuckOperand) -> None:
    """A change MUST NOT go on for ever if the pod of an operand does not go away, and MUST leave the GPUs as they were.

    After v0.15.0 it ends in `failed`; from v0.13.0 to v0.15.0 MUST be seen what is known of them: `pending` stays, and
    the log says that mig-manager gave up. Up to v0.12 it MUST go on after five minutes, and end in `success`.
    Source: gpu-operator issue 2833; mig-parted v0.15.0, pkg/mig/reconfigure, and pull request 484; recorded:
    operand-never-ends.
    """
    check_stuck(node.context, seen.stuck, node.mig_manager)
    check_users_left_alone(node.context, seen.stuck)


@case("D-03", "D-05", scenario=KeepPlugin, cells=ANY_UNIFORM_CELL)
def test_change_works_once_the_operand_can_end(node: ExpectedNode, seen: StuckOperand) -> None:
    """Once the pod can go, the next requests MUST succeed, and operands MUST NOT stay paused.

    Source: mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go and pkg/mig/reconfigure: a success resumes them.
    """
    check_courses(node.context, seen.third, [Course.CHANGED], node.mig_manager)
    check_in_cell(node.context, seen.recovery, node.wanted, node.resources)
