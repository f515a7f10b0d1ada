"""The defects of mig-manager that can be switched on: each shows in what it says, and the rest stays right."""

from __future__ import annotations

import pytest

from conformance.sim.kube import PODS
from conformance.spec import names
from tests.recordings.loader import state_of
from tests.recordings.stand import NODE, Stand
from tests.recordings.stand_pods import NEVER
from tests.sim.mig_manager_scenarios import LABELS, PLUGIN, asking, own, play, states


def test_pending_is_skipped() -> None:
    assert states(play(asking("seven"), faults=("mig-manager-skips-pending",))) == ["success"]


def test_success_comes_first() -> None:
    changes = own(play(asking("seven"), faults=("mig-manager-success-first",)))

    order = [change.set.get(names.MIG_CONFIG_STATE) or change.set[PLUGIN] for change in changes]
    assert order == ["pending", "success", names.PAUSED, "true"]


def test_no_answer_is_given() -> None:
    assert states(play(asking("seven"), faults=("mig-manager-never-answers",))) == ["pending"]


def test_last_gpu_is_forgotten() -> None:
    running = play(asking("seven"), gpus=2, faults=("mig-manager-forgets-last-gpu",))

    first, last = state_of(running.hardware)
    assert len(first[2]) == 7
    assert last == (False, False, [])
    assert states(running) == ["pending", "success"]


def test_operands_stay_paused() -> None:
    running = play(asking("seven"), faults=("mig-manager-leaves-paused",))

    assert (states(running), running.labels[PLUGIN]) == (["pending", "success"], names.PAUSED)


def test_operands_run_on() -> None:
    running = play(asking("seven"), faults=("mig-manager-pauses-nothing",))

    assert names.PAUSED not in [value for change in own(running) for value in change.set.values()]
    assert states(running) == ["pending", "success"]


@pytest.mark.parametrize(("faults", "value"), [((), "false"), (("mig-manager-overrides-false",), "true")])
def test_label_that_somebody_set_to_false(faults: tuple[str, ...], value: str) -> None:
    running = play(asking("seven"), labels=LABELS | {PLUGIN: "false"}, faults=faults)

    assert running.labels[PLUGIN] == value


@pytest.mark.parametrize(("faults", "there"), [((), True), (("mig-manager-deletes-user-pods",), False)])
def test_pods_of_users(faults: tuple[str, ...], there: bool) -> None:
    found = {}

    async def steps(running: Stand) -> None:
        meta = {"name": "mine", "namespace": "default", "labels": {"app": "mine"}}
        spec = {"nodeName": NODE, "containers": [{"name": "main", "image": "registry.example/main:1"}]}
        await running.kube.create(PODS, {"metadata": meta, "spec": spec})
        await asking("seven")(running)
        pod = await running.kube.get(PODS, "mine", "default")
        found["there"] = "deletionTimestamp" not in pod["metadata"]

    play(steps, faults=faults, lingering={"mine": NEVER})

    assert found["there"] == there


def test_balanced_configuration_is_refused() -> None:
    async def steps(running: Stand) -> None:
        await running.start_manager({})
        await running.label(names.MIG_CONFIG, "all-balanced")
        await running.ended(1)

    assert states(play(steps, faults=("mig-manager-refuses-balanced",))) == ["pending", "failed"]


def test_balanced_configuration_is_not_offered() -> None:
    async def steps(running: Stand) -> None:
        await running.start_manager({})
        await running.label(names.MIG_CONFIG, "all-balanced")
        await running.ended(1)

    assert states(play(steps, faults=("mig-manager-generates-no-balanced",))) == ["failed"]
