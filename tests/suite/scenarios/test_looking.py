"""Scenarios that give what was seen of a node: its arrival, its GPUs, the users of its devices, and its whole stay."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.cluster import paths
from conformance.cluster.errors import ClusterError
from conformance.expect.devices import DeviceUser
from conformance.operations.evidence import Outcome
from conformance.spec.names import (
    DCGM_APP,
    DEVICE_PLUGIN_APP,
    DRIVER_APP,
    MIG_CONFIG,
    MIG_CONFIG_STATE,
    OPERATOR_NAMESPACE,
    VALIDATOR_APP,
)
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.observer import Observation
from conformance.suite.scenario import AnyScenario
from conformance.suite.scenarios.arrival import BringToCell
from conformance.suite.scenarios.device_users import AT_MOST, TOGETHER, UseDevices
from conformance.suite.scenarios.hardware import ReadHardware
from conformance.suite.scenarios.identity import CompareIdentities
from conformance.suite.scenarios.stay import WatchStay
from tests.expect.made import SEVEN, gpu
from tests.suite.made import PARSED
from tests.suite.memory import Memory, Raw, runs
from tests.suite.nodes import arrival, node_in, strategy_change

PODS = paths.pods("mig-conformance")
SLICES = (gpu(SEVEN),)


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.node(labels={"nvidia.com/gpu.count": "8"}, gpu=7)
    return memory


def look(scenario: AnyScenario, node: NodeInCell) -> Any:
    return scenario.observe(node, scenario.start(node))


def test_the_way_is_given_as_it_was(memory: Memory) -> None:
    came = arrival(Outcome.FAILED)

    assert look(BringToCell(), node_in(memory, came=came)) is came


@pytest.mark.parametrize("scenario", [BringToCell(), WatchStay(), ReadHardware(), CompareIdentities(), UseDevices()])
def test_of_a_node_that_was_found_there_and_not_read_there_is_nothing_to_say(
    scenario: AnyScenario, memory: Memory
) -> None:
    with pytest.raises(ClusterError, match=r"node sim-0 was not brought|the GPUs of node sim-0 were not read"):
        scenario.observe(node_in(memory), [])


def test_hardware_is_what_was_read_beside_labels_and_offers(memory: Memory) -> None:
    seen = look(ReadHardware(), node_in(memory, seen=SLICES))

    assert (seen.gpus, seen.listing, seen.driver) == (SLICES, (), None)
    assert seen.labels["nvidia.com/gpu.count"] == "8"
    assert seen.configurations == PARSED


def test_identities_are_looked_up_on_every_node_that_was_read(memory: Memory) -> None:
    node = node_in(memory, seen=SLICES)
    node.holders.note("sim-0", Observation(SLICES, ()))
    node.holders.note("sim-1", Observation((gpu(),), ()))
    devices = dict.fromkeys((device.uuid for device in SLICES[0].instances), ("sim-0",))

    assert look(CompareIdentities(), node).holders == {SLICES[0].uuid: ("sim-0", "sim-1")} | devices


@pytest.mark.parametrize(
    ("at", "count", "asked"),
    [
        ("single-all-1g.10gb", 1, {"nvidia.com/gpu": AT_MOST}),
        ("single-all-disabled", 2, {"nvidia.com/gpu": 2}),
        ("mixed-all-balanced", 1, {"nvidia.com/mig-1g.10gb": 2, "nvidia.com/mig-2g.20gb": 1,
                                   "nvidia.com/mig-3g.40gb": 1}),
        ("mixed-all-2g.20gb", 4, {"nvidia.com/mig-2g.20gb": AT_MOST}),
        ("mixed-all-enabled", 1, {}),
    ],
)  # fmt: skip
def test_every_resource_has_as_many_users_as_there_are_devices_up_to_a_few(
    at: str, count: int, asked: dict[str, int], memory: Memory
) -> None:
    def start(raw: Raw) -> None:
        name = raw["metadata"]["name"]
        memory.logs[name, "probe"] = json.dumps({"probe": 1, "driver": "580", "cuda": "13.0", "gpus": []})
        memory.logs[name, "smi"] = memory.logs[name, "hold"] = "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1)"
        ended = [{"name": "probe", "state": {"terminated": {"exitCode": 0}}}]
        running = runs(raw)
        memory.put(f"{PODS}/{name}", running | {"status": running["status"] | {"initContainerStatuses": ended}})

    memory.kubelet = start
    seen = look(UseDevices(), node_in(memory, at, seen=SLICES, count=count))

    users: tuple[DeviceUser, ...] = seen.users
    assert {resource: sum(user.resource == resource for user in users) for resource in asked} == asked
    assert len(users) == sum(asked.values())
    assert all(user.uuids == ["GPU-1"] and user.held == user.listing for user in users)
    assert seen.gpus == SLICES
    assert len(memory.names(PODS)) == len(users)


def test_the_third_pod_starts_when_the_others_hold_their_devices(memory: Memory) -> None:
    node = node_in(memory, seen=SLICES)
    started = UseDevices().start(node)
    assert len(started) == TOGETHER

    for _, pod in started:
        memory.put(f"{PODS}/{pod.name}", runs(memory.get(f"{PODS}/{pod.name}")))
    memory.kubelet = _raise
    with pytest.raises(ClusterError, match="not to be seen"):
        UseDevices().observe(node, started)


def _raise(raw: Raw) -> None:
    del raw
    raise ClusterError("not to be seen")


# The stay -----------------------------------------------------------------------------------------------------------


def crash(memory: Memory, app: str, restarts: int, *, ready: bool = False) -> None:
    state = {"name": "main", "restartCount": restarts, "lastState": {"terminated": {"exitCode": 1}}}
    conditions = [{"type": "Ready", "status": str(ready)}]
    memory.pod(app, labels={"app": app}, status={"containerStatuses": [state], "conditions": conditions})


def test_a_stay_is_what_happened_between_the_request_and_the_way_out(memory: Memory) -> None:
    memory.watch()
    memory.node(labels={MIG_CONFIG_STATE: "before"}, gpu=7)
    mark = memory.cluster.timeline.mark()
    memory.node(labels={MIG_CONFIG_STATE: "pending"}, gpu=0)
    came = arrival(mark=mark, manager_log=("done",))
    node = node_in(memory, came=came, seen=SLICES, mark=mark)
    node.leave()
    memory.node(labels={MIG_CONFIG_STATE: "after"}, gpu=8)

    seen = look(WatchStay(), node)

    assert [change.set for change in seen.label_changes] == [{MIG_CONFIG_STATE: "pending"}]
    assert {change.after for change in seen.resource_changes} == {0}
    assert (seen.gpus, seen.manager_log) == (SLICES, ("done",))
    assert (seen.users_before, seen.node_changes, seen.neighbours) == ({}, (), ())


def test_a_stay_begins_with_the_change_of_strategy_and_leaves_out_what_the_suite_wrote(memory: Memory) -> None:
    """Between the two mig-manager must keep quiet as well."""
    memory.watch()
    start = memory.cluster.timeline.mark()
    memory.node(labels={MIG_CONFIG_STATE: "pending"}, gpu=7)
    asked = memory.cluster.timeline.mark()
    memory.cluster.set_labels("sim-0", {"nvidia.com/own": "1"})
    came = arrival(mark=asked, switched=strategy_change("single", "mixed", start))
    node = node_in(memory, came=came, seen=SLICES, mark=came.mark)
    node.leave()

    assert [change.set for change in look(WatchStay(), node).label_changes] == [{MIG_CONFIG_STATE: "pending"}]


def test_pods_that_were_there_and_stayed_have_a_life_too(memory: Memory) -> None:
    memory.pod("old", labels={"app": DEVICE_PLUGIN_APP})
    before = tuple(memory.cluster.pods())
    memory.watch()
    memory.pod("new", labels={"app": DCGM_APP})
    came = arrival(pods_before=before)
    seen = look(WatchStay(), node_in(memory, came=came, seen=SLICES))

    assert {life.name: life.started is None for life in seen.pods} == {"old": True, "new": False}
    assert seen.operands == (DEVICE_PLUGIN_APP,)


@pytest.mark.parametrize(("restarts", "ready", "loops"), [(1, False, True), (2, True, False), (3, True, True)])
def test_a_loop_is_crashing_now_or_was_started_again_too_often(
    restarts: int, ready: bool, loops: bool, memory: Memory
) -> None:
    """A pod that loops is Ready now and then; one may be started again while a node comes to rest."""
    crash(memory, DEVICE_PLUGIN_APP, 0, ready=True)
    before = tuple(memory.cluster.pods())
    crash(memory, DEVICE_PLUGIN_APP, restarts, ready=ready)
    seen = look(WatchStay(), node_in(memory, came=arrival(pods_before=before), seen=SLICES))

    assert seen.crashing == ((DEVICE_PLUGIN_APP,) if loops else ())


def test_the_validator_may_wait_for_what_does_not_come(memory: Memory) -> None:
    crash(memory, VALIDATOR_APP, 5)
    before = tuple(memory.cluster.pods())
    seen = look(WatchStay(), node_in(memory, came=arrival(pods_before=before), seen=SLICES))

    assert (seen.operands, seen.crashing) == ((VALIDATOR_APP,), ())


def test_other_operands_are_those_of_daemonsets_that_are_not_replaced(memory: Memory) -> None:
    owner = [{"kind": "DaemonSet", "name": "x", "controller": True}]
    for app in (DEVICE_PLUGIN_APP, DRIVER_APP):
        memory.put(
            paths.pod(OPERATOR_NAMESPACE, app),
            {"metadata": {"labels": {"app": app}, "ownerReferences": owner}, "spec": {"nodeName": "sim-0"}},
        )
    memory.pod("validation", labels={"app": "nvidia-cuda-validator"})
    before = tuple(memory.cluster.pods())
    seen = look(WatchStay(), node_in(memory, came=arrival(pods_before=before), seen=SLICES))

    assert (seen.operands, seen.others) == ((DEVICE_PLUGIN_APP,), (DRIVER_APP,))


def test_what_happens_to_nodes_that_nobody_asked_is_told(memory: Memory) -> None:
    for name in ("b", "asked", "under-test"):
        memory.node(name, gpu=7)
    memory.watch()
    memory.cluster.guard.add(["under-test"])
    came = arrival()
    node = node_in(memory, came=came, seen=SLICES)
    for name in ("b", "under-test"):
        memory.node(name, labels={MIG_CONFIG_STATE: "pending", "nvidia.com/gpu.count": "1"}, gpu=7)
    memory.node("asked", labels={MIG_CONFIG_STATE: "pending", MIG_CONFIG: "x"}, gpu=7)

    (told,) = look(WatchStay(), node).neighbours
    assert told == "b: gpu.count=1, mig.config.state=pending"


@pytest.mark.parametrize("fate", ["lives", "is gone", "is another"])
def test_the_pod_of_the_user_has_a_life_too(fate: str, memory: Memory) -> None:
    ready: dict[str, Any] = {"conditions": [{"type": "Ready", "status": "True"}]}
    memory.pod("bystander", "mig-conformance", status=ready)
    node = node_in(memory, came=arrival(pods_before=tuple(memory.cluster.pods())), seen=SLICES)
    node.bystander = memory.cluster.pod("bystander")
    assert node.bystander is not None
    uid = node.bystander.uid
    memory.watch()
    if fate != "lives":
        memory.delete(f"{PODS}/bystander")
    if fate == "is another":
        memory.pod("bystander", "mig-conformance", status=ready)

    seen = look(WatchStay(), node)

    assert seen.users_before == {"bystander": uid}
    lives = {life.uid: life.ended is None for life in seen.pods}
    assert lives[uid] == (fate == "lives")
    assert len(lives) == (2 if fate == "is another" else 1)
