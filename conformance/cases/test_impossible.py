"""Configurations that do not fit the GPUs, and mig-parted files that cannot be read."""

from conformance.expect.hardware import check_geometry
from conformance.expect.interruptions import check_in_cell
from conformance.expect.node import ExpectedNode
from conformance.expect.resources import check_resources
from conformance.expect.transitions import Course
from conformance.expect.trials import (
    check_courses,
    check_first_gpu_emptied,
    check_gpus_kept,
    check_never_advertised,
    check_operands_left_alone,
    check_reason,
    check_refused,
    check_resources_kept,
)
from conformance.fixtures.case import case
from conformance.suite.cells import ANY_UNIFORM_CELL
from conformance.suite.scenarios.impossible import BreakFile, BrokenFile, Impossible, RequestImpossible


@case("D-23", "D-03", scenario=RequestImpossible, cells=ANY_UNIFORM_CELL)
def test_more_instances_than_fit_end_in_failed(node: ExpectedNode, seen: Impossible) -> None:
    """One instance more than fits on a GPU MUST end in `failed`, with MIG on and no instance on the first GPU.

    The log MUST say so, and no whole GPU MUST be advertised. Source: runbook, "Failure modes"; mig-parted v0.15.0,
    pkg/mig/config: all orders are tried, then the GPU is cleared; recorded.
    """
    check_courses(node.context, seen.too_many, [Course.FAILED], node.mig_manager)
    check_reason(node.context, seen.too_many, "error applying MIG configuration")
    check_first_gpu_emptied(node.context, seen.too_many)
    check_never_advertised(node.context, seen.too_many, [node.resources, node.resources_of(seen.too_many.after.gpus)])


@case("D-23", "D-03", scenario=RequestImpossible, cells=ANY_UNIFORM_CELL)
def test_layout_without_room_ends_in_failed(node: ExpectedNode, seen: Impossible) -> None:
    """A layout whose slices are enough but that has no room MUST end in `failed`, also after an earlier success.

    Two halves of a GPU fill its memory, so that one small instance more has no place. From v0.13.0 to v0.15.0 the
    operands MUST be seen to stay paused, as such a process does after its first success.
    Source: mig-parted v0.15.0, pkg/mig/config and pkg/mig/reconfigure; recorded.
    """
    check_courses(node.context, seen.no_room, [Course.FAILED], node.mig_manager)
    check_reason(node.context, seen.no_room, "error applying MIG configuration")
    check_first_gpu_emptied(node.context, seen.no_room)
    check_never_advertised(node.context, seen.no_room, [node.resources, node.resources_of(seen.no_room.after.gpus)])


@case("D-23", "D-05", scenario=RequestImpossible, cells=ANY_UNIFORM_CELL)
def test_good_configuration_works_after_each_bad_one(node: ExpectedNode, seen: Impossible) -> None:
    """The configuration of the cell MUST be applied again after each failure, with all operands back.

    Source: runbook, "Failure modes"; mig-parted v0.15.0, pkg/mig/reconfigure: a change that succeeds resumes them.
    """
    check_in_cell(node.context, seen.after_too_many, node.wanted, node.resources)
    check_in_cell(node.context, seen.after_no_room, node.wanted, node.resources)
    check_in_cell(node.context, seen.after_wipe, node.wanted, node.resources)


@case("D-23", "D-02", scenario=RequestImpossible, cells=ANY_UNIFORM_CELL)
def test_foreign_profile_wipes_the_gpus_and_reports_success(node: ExpectedNode, seen: Impossible) -> None:
    """A profile that no GPU of the node offers MUST end in `success` with no instance on any GPU, as documented.

    The `success` says nothing about the layout: the node MUST advertise what empty GPUs give, and no whole GPU.
    Source: mig-parted v0.15.0, pkg/mig/config, Flatten; gpu-operator issue 603, mig-parted issue 18; recorded.
    """
    check_courses(node.context, seen.wiped, [Course.CHANGED], node.mig_manager)
    check_geometry(seen.foreign.context, seen.wiped.after.gpus, seen.foreign.wanted)
    check_resources(seen.foreign.context, seen.wiped.after.allocatable, seen.foreign.resources)
    check_never_advertised(node.context, seen.wiped, [node.resources, seen.foreign.resources])


@case("D-16", "D-03", scenario=BreakFile, cells=ANY_UNIFORM_CELL)
def test_file_that_is_wrong_anywhere_refuses_every_name(node: ExpectedNode, seen: BrokenFile) -> None:
    """If the file is not YAML, or one of its configurations is wrong, every name MUST be refused.

    The answer MUST be `failed` without `pending`, the reason MUST be in the log, and nothing MUST change.
    Source: runbook, "The mig-parted ConfigMap"; mig-parted v0.15.0, api/spec/v1/spec.go; recorded.
    """
    check_refused(node.context, seen.malformed, node.mig_manager)
    check_reason(node.context, seen.malformed, "error parsing config file: unmarshal error")
    check_gpus_kept(node.context, seen.malformed)
    check_refused(node.context, seen.half, node.mig_manager)
    check_reason(node.context, seen.half, "error parsing config file: unmarshal error")
    check_gpus_kept(node.context, seen.half)


@case("D-16", "D-03", scenario=BreakFile, cells=ANY_UNIFORM_CELL)
def test_file_that_is_gone_refuses_every_name(node: ExpectedNode, seen: BrokenFile) -> None:
    """A ConfigMap without the key `config.yaml` MUST end in `failed` without `pending`, and change nothing.

    Source: mig-parted v0.15.0, cmd/nvidia-mig-parted/assert; recorded: config-file-removed-later.
    """
    check_refused(node.context, seen.gone, node.mig_manager)
    check_reason(node.context, seen.gone, "no such file or directory")
    check_gpus_kept(node.context, seen.gone)
    check_operands_left_alone(node.context, seen.gone)
    check_resources_kept(node.context, seen.gone)


@case("D-16", "D-22", scenario=BreakFile, cells=ANY_UNIFORM_CELL)
def test_repaired_file_works_at_the_next_request(node: ExpectedNode, seen: BrokenFile) -> None:
    """Once the file is right again, the next request MUST succeed without a restart of mig-manager.

    Source: mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go: each run reads the file; recorded.
    """
    check_in_cell(node.context, seen.repaired, node.wanted, node.resources)
