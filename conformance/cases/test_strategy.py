"""Live changes of the strategy."""

from conformance.expect.hardware import check_geometry
from conformance.expect.kinds import SLICED, GeometryKind
from conformance.expect.label_checks import check_labels
from conformance.expect.node import ExpectedNode
from conformance.expect.operands import check_refused_by_plugin
from conformance.expect.resources import check_resources
from conformance.expect.strategy import check_rolled, check_same_gpus
from conformance.fixtures.case import case
from conformance.spec.names import Strategy
from conformance.suite.cells import cells
from conformance.suite.scenarios.strategy_changes import (
    ChangeStrategy,
    SingleOverUneven,
    SwitchOverUneven,
    ThereAndBack,
    UnsetStrategy,
    WithoutMigStrategy,
)

UNEVEN = GeometryKind.UNEVEN
ONE_UNIFORM = cells(kinds=[GeometryKind.UNIFORM], once=True)


@case("D-08", scenario=ChangeStrategy, cells=ONE_UNIFORM)
def test_change_of_strategy_reaches_every_operand(node: ExpectedNode, seen: ThereAndBack) -> None:
    """A change of `spec.mig.strategy` MUST replace the pods of all operands that carry it, in both directions.

    These are device plugin, GPU Feature Discovery, MPS control daemon and validator, on every node; the validator MUST
    become Ready, unless the new strategy does not advertise the geometry (1c.3g.40gb under `mixed`).
    Source: runbook, "Install"; gpu-operator v26.7.0, controllers/object_controls.go.
    """
    there, back = node.under(node.strategy.other, seen.there.gpus), node.under(node.strategy, seen.back.gpus)

    check_rolled(there.context, seen.there.rolls, there.strategy, refused=there.refusal)
    check_rolled(back.context, seen.back.rolls, back.strategy, refused=back.refusal)


@case("D-08", "D-09", scenario=ChangeStrategy, cells=ONE_UNIFORM)
def test_change_of_strategy_keeps_every_device(node: ExpectedNode, seen: ThereAndBack) -> None:
    """A change of the strategy MUST NOT touch the GPUs: the same MIG devices with the same UUIDs, in both directions.

    Source: runbook, "Install"; gpu-operator v26.7.0: the strategy is a variable of operands that only read the GPUs.
    """
    there, back = node.context.under(node.strategy.other), node.context

    check_same_gpus(there, seen.there.before, seen.there.after)
    check_same_gpus(back, seen.back.before, seen.back.after)


@case("D-08", "D-09", scenario=ChangeStrategy, cells=ONE_UNIFORM)
def test_change_of_strategy_renames_the_resources(node: ExpectedNode, seen: ThereAndBack) -> None:
    """A change of the strategy MUST rename the resources in both directions and leave nothing of the old names.

    Source: runbook, "What it is"; k8s-device-plugin v0.20.0, internal/rm/device_map.go.
    """
    there, back = node.under(node.strategy.other, seen.there.gpus), node.under(node.strategy, seen.back.gpus)

    check_resources(there.context, seen.there.allocatable, there.resources, other_strategy=back.resources)
    check_resources(back.context, seen.back.allocatable, back.resources, other_strategy=there.resources)


@case("D-08", "D-26", scenario=ChangeStrategy, cells=ONE_UNIFORM)
def test_labels_follow_the_change_of_strategy(node: ExpectedNode, seen: ThereAndBack) -> None:
    """After a change of the strategy the labels MUST be those of the new one, `mig.strategy` among them, both ways.

    Source: runbook, "What it is"; k8s-device-plugin v0.20.0, internal/lm/mig-strategy.go.
    """
    there, back = node.under(node.strategy.other, seen.there.gpus), node.under(node.strategy, seen.back.gpus)

    check_labels(there.context, seen.there.labels, there.labels(seen.there.gpus, seen.there.driver))
    check_labels(back.context, seen.back.labels, back.labels(seen.back.gpus, seen.back.driver))


@case("D-08", scenario=UnsetStrategy, cells=cells(kinds=SLICED, once=True))
def test_none_advertises_every_gpu_as_one(node: ExpectedNode, seen: WithoutMigStrategy) -> None:
    """Under `none` each GPU MUST be one `nvidia.com/gpu`, divided or not, and the labels MUST describe whole GPUs.

    The MIG devices MUST stay. Source: k8s-device-plugin v0.20.0, internal/rm/device_map.go and internal/lm.
    """
    none = node.under(Strategy.NONE, seen.none.gpus)

    check_rolled(none.context, seen.none.rolls, Strategy.NONE)
    check_same_gpus(none.context, seen.none.before, seen.none.after)
    check_resources(none.context, seen.none.allocatable, none.resources)
    check_labels(none.context, seen.none.labels, none.labels(seen.none.gpus, seen.none.driver))


@case("D-08", scenario=UnsetStrategy, cells=cells(kinds=SLICED, once=True))
def test_missing_strategy_is_none(node: ExpectedNode, seen: WithoutMigStrategy) -> None:
    """Without `spec.mig.strategy` the operands MUST get no MIG_STRATEGY, and behave as under `none`.

    On a node whose file of the device plugin names a strategy, they MUST behave as under that one.
    Source: gpu-operator v26.7.0, controllers/object_controls.go; k8s-device-plugin v0.20.0, default of MIG_STRATEGY.
    """
    unset = node.under(seen.own, seen.unset.gpus)

    check_rolled(unset.context, seen.unset.rolls, "", refused=unset.refusal)
    check_same_gpus(unset.context, seen.unset.before, seen.unset.after)
    check_resources(unset.context, seen.unset.allocatable, unset.resources)
    check_labels(unset.context, seen.unset.labels, unset.labels(seen.unset.gpus, seen.unset.driver))


@case("D-08", "D-06", scenario=SwitchOverUneven, cells=cells(strategies=[Strategy.MIXED], kinds=[UNEVEN], once=True))
def test_single_over_an_uneven_layout_is_refused_and_recovers(node: ExpectedNode, seen: SingleOverUneven) -> None:
    """Under `single` a layout of several profiles MUST be refused clearly: the device plugin ends with the reason.

    The node MUST be labelled `-MIG-INVALID` and advertise nothing, with all its MIG devices. Once the layout is
    uniform, it MUST be as under `single`. Source: gpu-operator issues 460, 286; k8s-device-plugin v0.20.0, internal/rm.
    """
    single, plugin = node.under(Strategy.SINGLE, seen.uneven.gpus), node.under(seen.effective, seen.uneven.gpus)
    uniform, end = single.asked_for(seen.name, seen.uneven.gpus, seen.entries), seen.uneven.plugin_end

    check_same_gpus(single.context, seen.uneven.before, seen.uneven.after)
    check_resources(single.context, seen.uneven.allocatable, plugin.resources)
    check_refused_by_plugin(single.context, end.exit_code, end.restarts, end.log, plugin.refusal)
    check_labels(single.context, seen.uneven.labels, single.labels(seen.uneven.gpus, seen.uneven.driver))
    check_geometry(uniform.context, seen.uniform.gpus, uniform.wanted)
    check_rolled(uniform.context, seen.uniform.rolls, Strategy.SINGLE)
    check_resources(uniform.context, seen.uniform.allocatable, uniform.resources)
