"""Configurations of a ConfigMap that the ClusterPolicy names."""

from conformance.expect.devices import check_neighbours, check_slice_users
from conformance.expect.hardware import check_geometry, check_mode_settled
from conformance.expect.interruptions import check_course_after_restart, check_in_cell
from conformance.expect.kinds import SLICED
from conformance.expect.node import ExpectedNode
from conformance.expect.offers import check_applied, check_offered_again
from conformance.expect.operands import check_refused_by_plugin
from conformance.expect.resources import check_resources
from conformance.expect.transitions import Course, check_idle
from conformance.fixtures.case import case
from conformance.spec.names import Strategy
from conformance.suite.cells import cells
from conformance.suite.scenario import Needs
from conformance.suite.scenarios.own_configurations import OwnConfigurations, UseOwnConfigurations
from conformance.suite.scenarios.renamed_file import RenamedFile, RenameFile

ONE_SLICED = cells(kinds=SLICED, once=True)
ONE_OF_MIXED = cells(strategies=[Strategy.MIXED], kinds=SLICED, once=True)
ONE_OF_SINGLE = cells(strategies=[Strategy.SINGLE], kinds=SLICED, once=True)


@case("D-16", scenario=UseOwnConfigurations, cells=ONE_OF_MIXED)
def test_own_configuration_is_applied_and_advertised(node: ExpectedNode, seen: OwnConfigurations) -> None:
    """A configuration of a user's own ConfigMap MUST be applied to every GPU: 4 x 1g.10gb and 1 x 3g.40gb on 80 GB.

    Under `mixed` each of its profiles MUST be advertised with its count. Entries whose device filter names another
    board MUST NOT matter. Source: runbook, "The mig-parted ConfigMap"; mig-parted v0.15.0, api/spec/v1/helpers.go.
    """
    own = seen.uneven
    expected = node.asked_for(own.name, own.before, own.entries)

    check_applied(expected.context, own.answer.state, own.answer.problem)
    check_geometry(expected.context, own.gpus, expected.wanted)
    check_resources(expected.context, own.allocatable, expected.resources)


@case("D-16", "D-06", scenario=UseOwnConfigurations, cells=ONE_OF_SINGLE)
def test_own_configuration_is_advertised_under_single_if_uniform(node: ExpectedNode, seen: OwnConfigurations) -> None:
    """Under `single` a user's own configuration of one profile MUST be advertised, and one of two profiles MUST NOT.

    The geometry MUST be that of the configuration in both cases.
    Source: runbook, "The mig-parted ConfigMap"; k8s-device-plugin v0.20.0, internal/rm/device_map.go.
    """
    uneven = node.asked_for(seen.uneven.name, seen.uneven.before, seen.uneven.entries)
    uniform = node.asked_for(seen.edited.name, seen.edited.before, seen.edited.entries)

    check_geometry(uneven.context, seen.uneven.gpus, uneven.wanted)
    check_resources(uneven.context, seen.uneven.allocatable, uneven.resources)
    check_resources(uniform.context, seen.edited.allocatable, uniform.resources)


@case("D-16", scenario=UseOwnConfigurations, cells=ONE_SLICED)
def test_edited_configuration_waits_for_the_next_request(node: ExpectedNode, seen: OwnConfigurations) -> None:
    """An edit of the ConfigMap MUST change nothing until the next request, which MUST apply the new content.

    Source: mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go: only the label triggers, and each run reads the file.
    """
    edited = node.asked_for(seen.edited.name, seen.edited.before, seen.edited.entries)
    before = node.asked_for(seen.uneven.name, seen.uneven.before, seen.uneven.entries)

    check_idle(before.context, seen.after_edit, "the ConfigMap was edited, and nothing was requested")
    check_geometry(before.context, seen.uneven.gpus, before.wanted)
    check_applied(edited.context, seen.edited.answer.state, seen.edited.answer.problem)
    check_geometry(edited.context, seen.edited.gpus, edited.wanted)


@case("D-16", "D-07", scenario=UseOwnConfigurations, cells=ONE_OF_MIXED, needs=Needs(gpus=2))
def test_layout_by_index_lands_on_the_right_gpus(node: ExpectedNode, seen: OwnConfigurations) -> None:
    """A configuration for certain GPU indices MUST change these GPUs and no others; here every second one has MIG.

    Under `mixed` the GPUs without MIG MUST be advertised as `nvidia.com/gpu` beside the slices.
    Source: runbook, "What it is"; mig-parted v0.15.0, api/spec/v1/helpers.go.
    """
    expected = node.asked_for(seen.by_index.name, seen.by_index.before, seen.by_index.entries)

    check_geometry(expected.context, seen.by_index.gpus, expected.wanted)
    check_resources(expected.context, seen.by_index.allocatable, expected.resources)


@case("D-20", "D-16", scenario=UseOwnConfigurations, cells=ONE_OF_MIXED, needs=Needs(gpus=2))
def test_slices_and_whole_gpus_are_handed_out_side_by_side(node: ExpectedNode, seen: OwnConfigurations) -> None:
    """Where only some GPUs have MIG, a pod MUST get the slice or whole GPU that it asks for, and no other pod's.

    A GPU in MIG mode MUST NOT be handed out as a whole.
    Source: k8s-device-plugin v0.20.0, internal/rm; all pods hold their devices while they are compared.
    """
    own = seen.by_index
    expected = node.asked_for(own.name, own.before, own.entries)

    check_slice_users(expected.context, seen.users, own.gpus, expected.profile_of)
    check_neighbours(expected.context, seen.users)


@case("D-16", "D-06", scenario=UseOwnConfigurations, cells=ONE_OF_SINGLE, needs=Needs(gpus=2))
def test_single_advertises_nothing_where_only_some_gpus_have_mig(node: ExpectedNode, seen: OwnConfigurations) -> None:
    """Under `single` a node with MIG on some GPUs and not on others MUST advertise nothing.

    The device plugin MUST end with an error that says why; the geometry is that of the configuration all the same.
    Source: k8s-device-plugin v0.20.0, internal/rm/device_map.go.
    """
    own, end = seen.by_index, seen.by_index.plugin_end
    expected = node.asked_for(own.name, own.before, own.entries)

    check_geometry(expected.context, own.gpus, expected.wanted)
    check_resources(expected.context, own.allocatable, {})
    check_refused_by_plugin(expected.context, end.exit_code, end.restarts, end.log, expected.refusal)


@case("D-16", scenario=RenameFile, cells=ONE_SLICED)
def test_renamed_config_map_is_applied_under_the_same_label(node: ExpectedNode, seen: RenamedFile) -> None:
    """If the ClusterPolicy names another ConfigMap, its entries MUST be applied without a new request.

    The label stays as it is. mig-manager starts anew, finds other entries under the same name, and MUST go from
    `pending` to `success` with the layout of the new ConfigMap.
    Source: runbook, "The mig-parted ConfigMap"; mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go.
    """
    check_course_after_restart(seen.expected.context, seen.trial, Course.CHANGED, node.mig_manager)
    check_in_cell(seen.expected.context, seen.trial, seen.expected.wanted, seen.expected.resources)


@case("D-16", "D-15", scenario=UseOwnConfigurations, cells=ONE_SLICED)
def test_built_in_configurations_return_with_the_former_file(node: ExpectedNode, seen: OwnConfigurations) -> None:
    """Once `migManager.config.name` has its former value, the former configurations MUST be offered and applied again.

    Source: runbook, "The mig-parted ConfigMap"; gpu-operator v26.7.0, controllers/object_controls.go.
    """
    check_offered_again(node.context, *seen.offered)
    check_applied(node.context, seen.back_state, seen.back_problem)
    check_geometry(node.context, seen.gpus_back, node.wanted)
    check_mode_settled(node.context, seen.gpus_back)
