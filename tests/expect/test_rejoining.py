"""What must hold of a node whose Node object is new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from conformance.expect.finding import CheckContext, ConformanceError
from conformance.expect.interruptions import REPLACED
from conformance.expect.rejoining import check_operands_came_back, check_prepared, check_states_of_new_node
from conformance.expect.trial import RUNS_ON
from conformance.spec.names import DEVICE_PLUGIN_APP, GPU_PRESENT, MIG_CAPABLE, MIG_CONFIG, MIG_MANAGER_APP, PAUSED
from tests.expect.made import context
from tests.expect.test_interruptions import LABELS, NOTHING, after
from tests.expect.test_trials import DEPLOYED, states

PLUGIN = next(iter(DEPLOYED))
CHANGED = replace(NOTHING, label_changes=states("pending", "success"))
RIGHT: dict[str, Callable[[CheckContext], None]] = {
    "labels as before": lambda it: check_prepared(it, NOTHING),
    "another configuration": lambda it: check_prepared(it, after(NOTHING, labels={**LABELS, MIG_CONFIG: "other"})),
    "pods new or kept": lambda it: check_operands_came_back(
        it, replace(NOTHING, operands={DEVICE_PLUGIN_APP: REPLACED, MIG_MANAGER_APP: RUNS_ON})
    ),
    "pending, then success": lambda it: check_states_of_new_node(it, CHANGED),
}
WRONG: dict[str, tuple[Callable[[CheckContext], None], str]] = {
    "a deploy label is missing": (
        lambda it: check_prepared(it, after(NOTHING, labels={k: v for k, v in LABELS.items() if k != PLUGIN})),
        PLUGIN,
    ),
    "an operand is paused": (lambda it: check_prepared(it, after(NOTHING, labels={**LABELS, PLUGIN: PAUSED})), PAUSED),
    "not capable any more": (
        lambda it: check_prepared(
            it, replace(after(NOTHING), before=replace(NOTHING.before, labels={MIG_CAPABLE: "true"}))
        ),
        MIG_CAPABLE,
    ),
    "no GPU any more": (
        lambda it: check_prepared(
            it, replace(after(NOTHING), before=replace(NOTHING.before, labels={**LABELS, GPU_PRESENT: "true"}))
        ),
        GPU_PRESENT,
    ),
    "restarted": (
        lambda it: check_operands_came_back(it, replace(NOTHING, operands={MIG_MANAGER_APP: "restarted"})),
        f"{MIG_MANAGER_APP}: restarted",
    ),
    "no pod": (
        lambda it: check_operands_came_back(it, replace(NOTHING, operands={MIG_MANAGER_APP: "gone"})),
        MIG_MANAGER_APP,
    ),
    "no answer": (lambda it: check_states_of_new_node(it, NOTHING), "did not look at the label"),
    "failed at first": (
        lambda it: check_states_of_new_node(
            it, replace(NOTHING, label_changes=states("pending", "failed", "pending", "success"))
        ),
        "unexpected  failed",
    ),
    "refused": (
        lambda it: check_states_of_new_node(it, replace(NOTHING, label_changes=states("failed"))),
        "failed",
    ),
}


@pytest.mark.parametrize("check", RIGHT.values(), ids=RIGHT)
def test_what_is_right_is_accepted(check: Callable[[CheckContext], None]) -> None:
    check(context())


@pytest.mark.parametrize(("check", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told(check: Callable[[CheckContext], None], told: str) -> None:
    with pytest.raises(ConformanceError, match=told):
        check(context())
