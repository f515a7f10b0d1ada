"""What a node must show in a cell, depending on how the suite brought it there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.expect.device_plugin import DevicePlugin, Refusal
from conformance.expect.node import FOUND_THERE, Approach, ExpectedNode, expected_node
from conformance.expect.observed import ObservedGpu
from conformance.spec.mig_parted import Entry
from conformance.spec.names import (
    DEPLOY_PREFIX,
    DEVICE_PLUGIN_APP,
    GFD_TIMESTAMP,
    MIG_CONFIG,
    MIG_CONFIG_STATE,
    VALIDATOR_APP,
    Strategy,
)
from conformance.spec.profile import Profile
from tests.expect.made import BALANCED, SEVEN, context, gpu

SLICES = (Entry(devices=None, enabled=True, mig_devices={"1g.10gb": 7}),)
OFF = (Entry(devices=None, enabled=False, mig_devices={}),)
UNEVEN = (Entry(devices=None, enabled=True, mig_devices={"1g.10gb": 2, "2g.20gb": 1, "3g.40gb": 1}),)
LABELS = {MIG_CONFIG: "all-disabled", MIG_CONFIG_STATE: "success", GFD_TIMESTAMP: "1"}
ASKED = Approach(
    asked=True, labels_before=LABELS, labels_when_asked=LABELS, resumed_before=False, strategy_changed=False
)


def node(
    before: tuple[ObservedGpu, ...] = (gpu(),),
    entries: tuple[Entry, ...] = SLICES,
    approach: Approach = ASKED,
    strategy: Strategy = Strategy.SINGLE,
) -> ExpectedNode:
    at = context(strategy=strategy)
    return expected_node(
        at, before, entries, mig_manager="v0.15.0", device_plugin=DevicePlugin("v0.20.0"), approach=approach
    )


def states(expected: ExpectedNode) -> list[str | None]:
    return [change.labels[MIG_CONFIG_STATE] for change in expected.label_changes if MIG_CONFIG_STATE in change.labels]


def test_a_change_of_geometry_needs_work_and_restarts() -> None:
    expected = node()

    assert (expected.needs_work, expected.restarted) == (True, True)
    assert states(expected) == ["pending", "success"]
    assert expected.resources == {"nvidia.com/gpu": 7}
    assert expected.resources_of_other_strategy == {"nvidia.com/mig-1g.10gb": 7}
    assert expected.resource_of_other_strategy == "nvidia.com/mig-1g.10gb"
    assert (expected.features, expected.timestamp_before, expected.refusal) == (LABELS, "1", "")


@pytest.mark.parametrize(
    ("before", "asked", "switched", "stages"),
    [
        ((gpu(SEVEN),), True, False, ()),
        ((gpu(SEVEN),), False, True, (None, {"nvidia.com/mig-1g.10gb": 7})),
        ((gpu(),), True, False, (None, {"nvidia.com/mig-1g.10gb": 7})),
        ((gpu(),), True, True, (None, {"nvidia.com/gpu": 1}, None, {"nvidia.com/mig-1g.10gb": 7})),
    ],
)
def test_stages_on_the_way(
    before: tuple[ObservedGpu, ...], asked: bool, switched: bool, stages: tuple[dict[str, int] | None, ...]
) -> None:
    """A change of strategy and a change of geometry each take the device plugin away once."""
    approach = replace(ASKED, asked=asked, strategy_changed=switched)

    assert node(before, approach=approach, strategy=Strategy.MIXED).stages == stages


def test_only_the_validator_and_a_plugin_that_must_refuse_may_wait() -> None:
    uneven = (gpu(BALANCED),)

    assert node(entries=UNEVEN).may_wait((gpu(SEVEN),)) == (VALIDATOR_APP,)
    assert node(entries=UNEVEN).may_wait(uneven) == (DEVICE_PLUGIN_APP, VALIDATOR_APP)
    assert node(entries=UNEVEN, strategy=Strategy.MIXED).may_wait(uneven) == (VALIDATOR_APP,)


def test_without_a_change_mig_manager_answers_and_nothing_is_restarted() -> None:
    """The same mig-manager process has already resumed the operands."""
    expected = node((gpu(SEVEN),), approach=replace(ASKED, resumed_before=True))

    assert (expected.needs_work, expected.restarted) == (False, False)
    assert [dict(change.labels) for change in expected.label_changes] == [{MIG_CONFIG_STATE: "success"}]


def test_without_a_request_mig_manager_must_write_nothing_even_if_the_strategy_was_changed() -> None:
    """Not even if the GPUs have another geometry: other cases report that."""
    kept = replace(ASKED, asked=False, strategy_changed=True)

    for before in ((gpu(SEVEN),), (gpu(),)):
        expected = node(before, approach=kept, strategy=Strategy.MIXED)
        assert (expected.label_changes, expected.needs_work, expected.restarted) == ((), False, True)


def test_a_change_of_strategy_restarts_even_if_the_geometry_is_kept() -> None:
    assert node((gpu(SEVEN),), approach=replace(ASKED, strategy_changed=True)).restarted


def test_a_node_that_was_in_its_cell_before_has_no_expectations_of_its_arrival() -> None:
    expected = node((gpu(),), approach=FOUND_THERE)

    assert (expected.label_changes, expected.needs_work, expected.restarted) == ((), False, False)
    assert (expected.features, expected.timestamp_before) == ({}, None)
    assert expected.resources == {"nvidia.com/gpu": 7}


def test_label_changes_follow_from_the_labels_right_before_the_request() -> None:
    """A user may have set a deploy label to false since the arrival began; mig-manager keeps it."""
    deploy = DEPLOY_PREFIX + "device-plugin"
    asked = replace(ASKED, labels_when_asked=LABELS | {deploy: "false"})

    assert any(deploy in change.labels for change in node().label_changes)
    assert not any(deploy in change.labels for change in node(approach=asked).label_changes)
    assert node(approach=asked).features == LABELS


def test_the_state_before_the_request_does_not_matter() -> None:
    stale = replace(ASKED, labels_when_asked=LABELS | {MIG_CONFIG_STATE: "failed"})

    assert node(approach=stale).label_changes == node().label_changes


def test_a_geometry_that_the_plugin_cannot_advertise() -> None:
    single, mixed = node(entries=UNEVEN), node(entries=UNEVEN, strategy=Strategy.MIXED)

    assert (single.refusal, single.resources) == (Refusal.UNLIKE_DEVICES, {})
    assert mixed.refusal == ""
    assert single.resources_of_other_strategy == mixed.resources
    assert mixed.resources == {"nvidia.com/mig-1g.10gb": 2, "nvidia.com/mig-2g.20gb": 1, "nvidia.com/mig-3g.40gb": 1}


def test_the_plugin_may_crash_on_the_observed_geometry_not_on_the_requested_one() -> None:
    """A node that still has an uneven geometry crashes its plugin, whatever was requested."""
    expected = node()

    assert expected.may_crash([gpu(BALANCED)]) == (DEVICE_PLUGIN_APP,)
    assert expected.may_crash([gpu(SEVEN)]) == ()
    assert node(strategy=Strategy.MIXED).may_crash([gpu(BALANCED)]) == ()


@pytest.mark.parametrize("strategy", [Strategy.SINGLE, Strategy.MIXED])
def test_compute_instances_that_are_parts_of_their_gpu_instance(strategy: Strategy) -> None:
    entries = (Entry(devices=None, enabled=True, mig_devices={"1c.3g.40gb": 6}),)
    expected = node(entries=entries, strategy=strategy)
    mixed = strategy is Strategy.MIXED

    assert expected.resources == ({} if mixed else {"nvidia.com/gpu": 6})
    assert expected.refusal == (Refusal.SMALLER_COMPUTE_INSTANCE if mixed else "")
    assert expected.resource_of_other_strategy == ("nvidia.com/gpu" if mixed else "nvidia.com/mig-1c.3g.40gb")


def test_profile_of_a_resource() -> None:
    expected = node(entries=UNEVEN, strategy=Strategy.MIXED)

    assert expected.profile_of("nvidia.com/mig-2g.20gb") == Profile.parse("2g.20gb")
    assert expected.profile_of("nvidia.com/gpu") is None


def test_certifying_changes_only_the_requirements() -> None:
    expected = node()
    of_case = expected.certifying(("D-06", "D-09"))

    assert of_case.context.requirements == ("D-06", "D-09")
    assert replace(of_case, context=expected.context) == expected


GEOMETRIES = st.sampled_from([(), SEVEN, BALANCED])
BEFORE = st.lists(GEOMETRIES, min_size=1, max_size=4).map(
    lambda lists: tuple(gpu(instances, index=index) for index, instances in enumerate(lists))
)
APPROACHES = st.builds(
    Approach,
    asked=st.booleans(),
    labels_before=st.just(LABELS),
    labels_when_asked=st.just(LABELS),
    resumed_before=st.booleans(),
    strategy_changed=st.booleans(),
)


@given(BEFORE, st.sampled_from([SLICES, OFF, UNEVEN]), APPROACHES, st.sampled_from([Strategy.SINGLE, Strategy.MIXED]))
def test_expectations_are_consistent(
    before: tuple[ObservedGpu, ...], entries: tuple[Entry, ...], approach: Approach, strategy: Strategy
) -> None:
    expected = node(before, entries, approach, strategy)
    other = node(before, entries, approach, strategy.other)

    assert (expected.resources, expected.resources_of_other_strategy) == (
        other.resources_of_other_strategy,
        other.resources,
    )
    assert bool(expected.label_changes) == approach.asked
    assert expected.needs_work <= approach.asked
    assert ("pending" in states(expected)) == expected.needs_work
    assert expected.restarted == (expected.needs_work or approach.strategy_changed)
    assert bool(expected.refusal) <= (not expected.resources)


@pytest.mark.parametrize("strategy", [Strategy.SINGLE, Strategy.MIXED])
def test_labels_are_those_of_the_geometry_under_the_strategy(strategy: Strategy) -> None:
    (labels, *_) = node(strategy=strategy).labels([gpu(SEVEN)], None)

    assert labels["nvidia.com/mig.strategy"] == strategy
