"""D-02, D-05 to D-07, D-26: what may happen to a node while it is changed, and nothing at rest."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.expect.deletions import ENOUGH
from conformance.expect.finding import ConformanceError
from conformance.expect.histories import (
    check_labels_rest,
    check_node_kept,
    check_nothing_beside,
    check_operands_rest,
    check_resource_changes,
    check_resources_rest,
)
from conformance.spec.names import DCGM_APP, DEPLOY_PREFIX, MIG_CONFIG, MIG_CONFIG_STATE, VALIDATOR_APP
from tests.expect.made import context, message_of

GPU, SLICE = "nvidia.com/gpu", "nvidia.com/mig-1g.10gb"


@dataclass(frozen=True)
class Count:
    """A changed count."""

    before: int | None
    after: int | None
    resource: str = GPU
    field: str = "allocatable"

    def describe(self) -> str:
        return f"{self.field} {self.resource}: {self.before} -> {self.after}"


def path(*counts: int | None, resource: str = GPU, field: str = "allocatable") -> list[Count]:
    return [Count(before, after, resource, field) for before, after in itertools.pairwise(counts)]


CHANGE: Sequence[Mapping[str, int] | None] = [None, {GPU: 14}]
SWITCH: Sequence[Mapping[str, int] | None] = [None, {SLICE: 14}, None, {GPU: 2}]


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        ([], CHANGE),
        ([], []),
        (path(2, 0, 14), CHANGE),
        (path(2, 14), CHANGE),
        (path(2, 0, 13), CHANGE),
        (path(2, 0), CHANGE),
        (path(None, 14), CHANGE),
        (path(2, 0, 14) + path(2, 14, field="capacity"), CHANGE),
        (path(3, 0, resource=SLICE, field="capacity"), []),
        (path(14, 0, 2) + path(None, 14, 0, resource=SLICE), SWITCH),
        (path(14, 0, 2) + path(0, 14, 0, resource=SLICE) + path(0, 14, 0, resource=SLICE, field="capacity"), SWITCH),
    ],
)
def test_counts_that_go_from_stage_to_stage(changes: list[Count], stages: Sequence[Mapping[str, int] | None]) -> None:
    check_resource_changes(context(), changes, stages)


@pytest.mark.parametrize(
    ("changes", "stages", "expected", "found"),
    [
        (path(2, 0, 1, 14), CHANGE, "2 -> 0 -> 14", "2 -> 0 -> 1 -> 14"),
        (path(2, 0, 2, 0, 14), CHANGE, "2 -> 0 -> 14", "2 -> 0 -> 2 -> 0 -> 14"),
        (path(2, 0, 14, 0, 14), CHANGE, "2 -> 0 -> 14", "2 -> 0 -> 14 -> 0 -> 14"),
        (path(2, 0, 14, 0), CHANGE, "2 -> 0 -> 14", "2 -> 0 -> 14 -> 0"),
        (path(14, 0, 2, 1, 2), SWITCH, "14 -> 0 -> 2", "14 -> 0 -> 2 -> 1 -> 2"),
        (path(14, 0), [], "14", "14 -> 0"),
        (path(14, 0, 14), [], "14", "14 -> 0 -> 14"),
    ],
)
def test_other_counts(
    changes: list[Count], stages: Sequence[Mapping[str, int] | None], expected: str, found: str
) -> None:
    others = path(0, 0, resource=SLICE, field="capacity")

    assert message_of(lambda: check_resource_changes(context(requirement="D-06"), [*others, *changes], stages)) == (
        "D-06 counts over time of node sim-0 under single, all-1g.10gb\n"
        f"  expected    allocatable nvidia.com/gpu: {expected}\n"
        f"  found       allocatable nvidia.com/gpu: {found}"
    )


@pytest.mark.parametrize("counts", [[2, 7, 14], [2, 14, 2]])
def test_capacity_takes_no_other_value_either(counts: list[int]) -> None:
    assert "capacity nvidia.com/gpu" in message_of(
        lambda: check_resource_changes(context(), path(*counts, field="capacity"), CHANGE)
    )


@given(st.lists(st.sampled_from([0, 2, 7, 14]), min_size=1, max_size=6))
def test_a_change_goes_to_its_last_count_by_way_of_zero_at_most(counts: list[int]) -> None:
    steps = [2, *(count for at, count in enumerate(counts) if count != ([2, *counts])[at])]
    changes = path(*steps)

    if len(steps) <= 2 or (len(steps) == 3 and steps[1] == 0):
        check_resource_changes(context(), changes, CHANGE)
    else:
        assert "counts over time" in message_of(lambda: check_resource_changes(context(), changes, CHANGE))


@dataclass(frozen=True)
class Said:
    """A change of a node."""

    text: str

    def describe(self) -> str:
        return self.text


def test_a_count_between_two_stages_is_none_of_them() -> None:
    wrong = path(0, 7, 0, resource=SLICE)

    assert "allocatable nvidia.com/mig-1g.10gb: 0 -> 7 -> 0" in message_of(
        lambda: check_resource_changes(context(), wrong, SWITCH)
    )


def test_a_node_that_is_kept() -> None:
    check_node_kept(context(), [], [])

    assert message_of(
        lambda: check_node_kept(context(requirement="D-05"), [Said("taints:  -> a=b:NoSchedule")], [])
    ) == (
        "D-05 node of node sim-0 under single, all-1g.10gb\n"
        "  expected    neither cordon, taints, readiness nor boot id change\n"
        "  found       taints:  -> a=b:NoSchedule"
    )
    assert message_of(lambda: check_node_kept(context(requirement="D-05"), [], ["b: mig.config.state=pending"])) == (
        "D-05 other nodes of node sim-0 under single, all-1g.10gb\n"
        "  expected    nothing happens there\n"
        "  found       b: mig.config.state=pending"
    )


def test_what_happens_in_some_changes_may_be_the_work_of_others() -> None:
    deleted, written = "b: pod of DaemonSet x deleted", "b: label y written"

    check_nothing_beside(context(), [])
    check_nothing_beside(context(), [{deleted}] * (ENOUGH - 1))
    check_nothing_beside(context(), [{deleted}, {deleted, written}, {written}, {deleted}])


def test_what_happens_in_every_change_is_the_products() -> None:
    deleted, written = "b: pod of DaemonSet x deleted", "b: label y written"

    assert message_of(
        lambda: check_nothing_beside(context(requirement="D-05"), [{deleted}, {deleted, written}, {deleted}])
    ).startswith(
        "D-05 side effects of node sim-0 under single, all-1g.10gb\n"
        "  expected    nothing else happens in each of the 3 changes of the node\n"
        "  found       b: pod of DaemonSet x deleted\n"
    )


@dataclass(frozen=True)
class Labels:
    """One event of the watch of nodes."""

    set: Mapping[str, str] = field(default_factory=dict)
    removed: Sequence[str] = field(default_factory=tuple)
    time: float = 0.0
    version: str = "1"


def test_labels_at_rest() -> None:
    check_labels_rest(context(), [])
    check_labels_rest(context(), [Labels({MIG_CONFIG: "x", "nvidia.com/gpu-driver-upgrade-state": "done"})])

    assert message_of(
        lambda: check_labels_rest(
            context(requirement="D-02"),
            [
                Labels({"nvidia.com/gpu.count": "8", MIG_CONFIG_STATE: "failed"}, ["nvidia.com/gpu.memory"]),
                Labels(removed=[DEPLOY_PREFIX + "nvsm"]),
            ],
        )
    ) == (
        "D-02 labels at rest of node sim-0 under single, all-1g.10gb\n"
        "  expected    nothing changes until the node is asked again\n"
        "  found       nvidia.com/gpu.count=8\n"
        "              nvidia.com/gpu.memory removed\n"
        "              nvidia.com/mig.config.state=failed\n"
        "              nvidia.com/gpu.deploy.nvsm removed"
    )


@pytest.mark.parametrize("changes", [path(14, 0, resource=SLICE, field="capacity"), []])
def test_capacity_may_forget_at_rest(changes: list[Count]) -> None:
    check_resources_rest(context(), changes, {GPU: 14})


@pytest.mark.parametrize(
    "changes",
    [
        path(14, 0), path(0, 14), path(2, 0, resource=SLICE), path(14, 0, field="capacity"),
        path(0, 2, resource=SLICE, field="capacity"),
    ],
)  # fmt: skip
def test_counts_change_at_rest(changes: list[Count]) -> None:
    message = message_of(lambda: check_resources_rest(context(requirement="D-06"), changes, {GPU: 14}))

    assert message.startswith("D-06 resources at rest of node sim-0")
    assert changes[0].describe() in message


@dataclass(frozen=True)
class Step:
    """A step in the life of a pod."""

    event: str
    app: str = DCGM_APP

    def describe(self) -> str:
        return f"pod {self.app} {self.event}"


def test_operands_at_rest() -> None:
    check_operands_rest(context(), [Step("ready")])
    loop = [Step(event, VALIDATOR_APP) for event in ("ready", "not ready", "restarted", "appeared", "ended")]
    check_operands_rest(context(), loop, [VALIDATOR_APP])

    for event in ("appeared", "not ready", "restarted", "ended", "terminating", "gone"):
        assert f"found       pod nvidia-dcgm {event}" in message_of(
            lambda event=event: check_operands_rest(context(), [Step(event)], [VALIDATOR_APP])  # type: ignore[misc]
        )
    for event in ("terminating", "gone"):
        with pytest.raises(ConformanceError):
            check_operands_rest(context(), [Step(event, VALIDATOR_APP)], [VALIDATOR_APP])


def test_a_crash_loop_is_two_lines_and_not_hundreds() -> None:
    message = message_of(lambda: check_operands_rest(context(), [Step("restarted"), Step("not ready")] * 40))

    assert "found       pod nvidia-dcgm restarted (40 times)" in message
    assert message.count("pod nvidia-dcgm") == 2
