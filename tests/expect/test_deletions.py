"""Who deleted a pod: evidence first, and what is left repeats if it is a defect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.expect.deletions import (
    ENOUGH,
    STOPPED,
    Deletion,
    GeometryChange,
    History,
    Step,
    by_others,
    doubtful,
    undecided,
)
from conformance.spec.names import DEVICE_PLUGIN_APP, DRIVER_APP, MIG_MANAGER_APP, VALIDATOR_APP

COURSE = (STOPPED, "pending", "success")
ROLES = frozenset({DRIVER_APP, MIG_MANAGER_APP, DEVICE_PLUGIN_APP, VALIDATOR_APP})
DURING = (Step.BEGINNING, Step.STOPPED, Step.ENDING)


def deletion(role: str = DRIVER_APP, step: Step = Step.STOPPED, time: float = 10.0, **more: object) -> Deletion:
    return replace(Deletion(f"gpu-operator/{role}-x", role, time, step), **more)  # type: ignore[arg-type]


def change(*deletions: Deletion, course: tuple[str, ...] = COURSE, roles: frozenset[str] = ROLES) -> GeometryChange:
    return GeometryChange(course, roles, deletions)


def history(*changes: GeometryChange) -> History:
    return History("sim-0", changes)


@pytest.mark.parametrize(
    "made",
    [
        deletion(DEVICE_PLUGIN_APP, label="paused-for-mig-change"),
        deletion(DEVICE_PLUGIN_APP, Step.REST, label="false"),
        deletion(VALIDATOR_APP, renewed=(Step.STOPPED,)),
        deletion(DEVICE_PLUGIN_APP, Step.REST, rolled=True),
        deletion(step=Step.REST, controller=True),
        deletion(MIG_MANAGER_APP, controller=True),
    ],
)
def test_what_evidence_ascribes_to_the_product_is_its_own(made: Deletion) -> None:
    assert not doubtful(history(change(made)), 0)
    assert by_others(history(change(made)), 0) == ()


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (deletion(disruption="EvictionByEvictionAPI"), "was deleted at 10.0 s: EvictionByEvictionAPI"),
        (deletion(DEVICE_PLUGIN_APP, label="false", disruption="PreemptionByScheduler"), "PreemptionByScheduler"),
        (deletion(step=Step.REST), "when no change was in progress; the API server does not tell who deletes a pod"),
        (deletion(MIG_MANAGER_APP), "mig-manager does not delete its own pod"),
        (
            deletion(VALIDATOR_APP, Step.ENDING, renewed=(Step.STOPPED,)),
            "after the operands came back, and a pod like it in",
        ),
    ],
)
def test_what_the_product_does_not_do_is_of_others_however_often(made: Deletion, says: str) -> None:
    once = by_others(history(change(made)), 0)
    often = by_others(history(*[change(made)] * (ENOUGH - 1)), 0)

    assert says in once[0]
    assert len(often) == ENOUGH - 1


def test_a_deletion_in_some_changes_is_told_with_their_number() -> None:
    seen = history(change(), change(deletion(time=10)), change(deletion(time=20)), change())

    (text,) = by_others(seen, 15)
    assert text == (
        f"pod gpu-operator/{DRIVER_APP}-x of node sim-0 was deleted at 20.0 s, while the operands were stopped, and a "
        "pod like it in 2 of 4 comparable changes of the node; the API server does not tell who deletes a pod, and a "
        "defect of the product would do it in every change"
    )


@pytest.mark.parametrize("step", DURING)
def test_a_deletion_in_every_change_is_the_products(step: Step) -> None:
    assert by_others(history(*[change(deletion(step=step))] * ENOUGH), 0) == ()


def test_two_deletions_may_be_those_of_a_person() -> None:
    twice = history(change(deletion(time=10)), change(deletion(time=20)))

    assert len(by_others(twice, 0)) == len(doubtful(twice, 0)) == 2
    assert undecided(twice, 0)


def test_what_evidence_ascribes_to_the_product_is_no_repetition() -> None:
    """A rollout deletes the pod as well, once, and says nothing of the other changes."""
    seen = history(*[change(deletion())] * (ENOUGH - 1), change(deletion(rolled=True)))

    assert len(by_others(seen, 0)) == ENOUGH - 1


@pytest.mark.parametrize(
    "other",
    [
        change(course=("success",)),
        change(course=(STOPPED, "pending", "failed")),
        change(roles=frozenset({DEVICE_PLUGIN_APP})),
    ],
    ids=["nothing to do", "refused", "without a pod"],
)
def test_a_change_that_took_another_course_is_not_compared(other: GeometryChange) -> None:
    assert by_others(history(*[change(deletion())] * ENOUGH, other), 0) == ()


def test_a_deletion_at_another_step_is_another_deletion() -> None:
    steps = [change(deletion(step=step)) for step in DURING]

    assert len(by_others(history(*steps), 0)) == len(steps)


@pytest.mark.parametrize(
    ("changes", "helps"),
    [
        ([], False),
        ([change()], False),
        ([change(deletion())], True),
        ([change(deletion())] * ENOUGH, False),
        ([change(deletion()), change()], False),
        ([change(deletion(step=Step.REST))], False),
        ([change(deletion(disruption="EvictionByEvictionAPI"))], False),
        ([change(deletion(), course=(STOPPED, "pending"))], False),
        ([change(deletion(), course=(STOPPED, "pending", "failed"))], False),
    ],
)
def test_one_more_change_helps_only_while_nobody_can_say(changes: list[GeometryChange], helps: bool) -> None:
    assert undecided(history(*changes), 0) is helps


roles = st.sampled_from([DRIVER_APP, MIG_MANAGER_APP, "pod of a user"])
made = st.builds(
    deletion, roles, st.sampled_from(Step), st.floats(0, 100), disruption=st.sampled_from(["", "EvictionByEvictionAPI"])
)
changes = st.lists(
    st.builds(
        lambda found, course: GeometryChange(course, ROLES | {"pod of a user"}, tuple(found)),
        st.lists(made, max_size=3),
        st.sampled_from([COURSE, ("success",), ()]),
    ),
    max_size=6,
)


@given(changes, st.data())
def test_one_change_without_it_clears_the_product(seen: Sequence[GeometryChange], data: st.DataObject) -> None:
    """A person who deletes pods in all changes but one is never taken for the product."""
    clean = [GeometryChange(it.course, it.roles) for it in seen]
    at = data.draw(st.integers(0, len(seen)))
    mixed = [*seen[:at], *clean, *seen[at:]]

    assert len(by_others(history(*mixed), 0)) == sum(len(it.deletions) for it in seen)


@given(changes, st.floats(0, 100))
def test_few_acts_never_make_a_failure(seen: Sequence[GeometryChange], since: float) -> None:
    """Whoever deletes a pod less often than ENOUGH is never taken for the product, whatever the changes were."""
    few = history(*seen[: ENOUGH - 1])

    assert len(by_others(few, since)) == len(doubtful(few, since))


@given(st.sampled_from(DURING), st.integers(ENOUGH, 8), changes)
def test_a_defect_that_repeats_is_found_whatever_others_do(
    step: Step, count: int, noise: Sequence[GeometryChange]
) -> None:
    defect = deletion("a defect", step, time=200)
    faulty = [
        GeometryChange(COURSE, ROLES | {"a defect"}, (defect, *(noise[at].deletions if at < len(noise) else ())))
        for at in range(count)
    ]

    assert by_others(history(*faulty), 150) == ()


@given(changes)
def test_another_change_is_asked_for_only_if_it_can_tell(seen: Sequence[GeometryChange]) -> None:
    more = history(*seen, *[GeometryChange(COURSE, ROLES | {"pod of a user"})])

    assert not undecided(more, 0)
