"""What must hold of a node while the operator or Node Feature Discovery is restarted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.expect.controllers import (
    check_controllers_back,
    check_labels_back,
    check_node_undisturbed,
    check_operands_undisturbed,
)
from conformance.expect.finding import ConformanceError
from conformance.expect.trial import RUNS_ON, NodeSnapshot, Trial
from conformance.spec.names import DEVICE_PLUGIN_APP, GFD_TIMESTAMP, GPU_COUNT, MIG_CONFIG, VALIDATOR_APP
from tests.expect.made import SEVEN, context, gpu
from tests.expect.test_trials import Set

FEATURE = "feature.node.kubernetes.io/pci-10de.present"
LABELS = {MIG_CONFIG: "all-1g.10gb", GPU_COUNT: "7", FEATURE: "true", GFD_TIMESTAMP: "1", "mine": "1"}
HERE = NodeSnapshot(LABELS, {"nvidia.com/gpu": 7}, (gpu(SEVEN),))
NOTHING = Trial(
    configuration="",
    before=HERE,
    after=HERE,
    labels_when_asked=LABELS,
    resumed_before=True,
    label_changes=(),
    resource_changes=(),
    operands={DEVICE_PLUGIN_APP: RUNS_ON},
    users={},
    manager_log=(),
    reason="",
    seconds=None,
)


def with_labels(labels: dict[str, str]) -> Trial:
    return replace(NOTHING, after=replace(HERE, labels=labels))


def test_a_controller_that_is_back_is_right() -> None:
    check_controllers_back(context(), {"operator": "replaced", "NFD worker": "replaced"})


@pytest.mark.parametrize("fate", ["gone", "Terminating"])
def test_one_that_is_not_is_named(fate: str) -> None:
    with pytest.raises(ConformanceError, match=f"NFD master: {fate}") as caught:
        check_controllers_back(context(), {"NFD worker": "replaced", "NFD master": fate})

    assert "NFD worker" not in str(caught.value)


def test_operands_that_run_on_are_right() -> None:
    check_operands_undisturbed(context(), NOTHING, "the operator")


@pytest.mark.parametrize("app", [DEVICE_PLUGIN_APP, VALIDATOR_APP])
@pytest.mark.parametrize("fate", ["replaced", "gone", "restarted"])
def test_one_that_does_not_is_named(app: str, fate: str) -> None:
    trial = replace(NOTHING, operands={DEVICE_PLUGIN_APP: RUNS_ON, VALIDATOR_APP: RUNS_ON, app: fate})

    with pytest.raises(ConformanceError, match=f"{app}: {fate}"):
        check_operands_undisturbed(context(), trial, "the operator")


def test_a_node_at_rest_is_right_and_may_get_another_timestamp() -> None:
    check_node_undisturbed(context(), NOTHING, (), "the operator")
    check_node_undisturbed(context(), replace(NOTHING, label_changes=(Set({GFD_TIMESTAMP: "2"}),)), (), "the operator")


def test_every_change_of_the_node_is_listed() -> None:
    changes = (Set({MIG_CONFIG: "all-disabled", GFD_TIMESTAMP: "2"}), Set({"mine": "2"}), Set({}, (GPU_COUNT,)))
    trial = replace(NOTHING, label_changes=changes)

    with pytest.raises(ConformanceError) as caught:
        check_node_undisturbed(context(), trial, ("unschedulable: True -> False",), "the operator")

    assert caught.value.finding.found == (
        f"{MIG_CONFIG}=all-disabled",
        "mine=2",
        f"{GPU_COUNT} removed",
        "unschedulable: True -> False",
    )


def test_labels_that_came_back_are_right() -> None:
    check_labels_back(context(), with_labels(LABELS | {GFD_TIMESTAMP: "2", "mine": "2"}))


@pytest.mark.parametrize("name", [GPU_COUNT, FEATURE, MIG_CONFIG])
def test_a_label_that_stays_away_or_differs_is_named(name: str) -> None:
    for labels in ({key: value for key, value in LABELS.items() if key != name}, LABELS | {name: "other"}):
        with pytest.raises(ConformanceError, match=name):
            check_labels_back(context(), with_labels(labels))
