"""Requests that mig-manager must refuse, and what must stay as it was."""

from conformance.expect.node import ExpectedNode
from conformance.expect.trials import (
    Refusal,
    check_gpus_kept,
    check_operands_left_alone,
    check_reason,
    check_recovered,
    check_refused,
    check_resources_kept,
    check_users_left_alone,
)
from conformance.fixtures.case import case
from conformance.suite.cells import ANY_UNIFORM_CELL
from conformance.suite.scenarios.unknown_name import RequestUnknownName


@case("D-22", "D-02", scenario=RequestUnknownName, cells=ANY_UNIFORM_CELL)
def test_unknown_name_is_refused(node: ExpectedNode, seen: Refusal) -> None:
    """A name that the mig-parted file lacks MUST end in `failed` without `pending`, and no operand MUST be paused.

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
    check_recovered(node.context, seen.recovery, seen.trial.before)
