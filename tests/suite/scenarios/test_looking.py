"""Scenarios that give what was seen of a node: its arrival, its GPUs, the users of its devices, and its whole stay."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.cluster import paths
from conformance.cluster.errors import ClusterError
from conformance.expect.devices import DeviceUser
from conformance.operations.evidence import Outcome
from conformance.spec.names import DCGM_APP, DEVICE_PLUGIN_APP, MIG_CONFIG_STATE, VALIDATOR_APP
from conformance.suite.observer import Observation
from conformance.suite.scenario import AnyScenario, NodeInCell
from conformance.suite.scenarios.arrival import BringToCell
from conformance.suite.scenarios.device_users import AT_MOST, UseDevices
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
        memory.logs[name, "smi"] = "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1)"
        ended = [{"name": "probe", "state": {"terminated": {"exitCode": 0}}}]
        running = runs(raw)
        memory.put(f"{PODS}/{name}", running | {"status": running["status"] | {"initContainerStatuses": ended}})

    memory.kubelet = start
    seen = look(UseDevices(), node_in(memory, at, seen=SLICES, count=count))

    users: tuple[DeviceUser, ...] = seen.users
    assert {resource: sum(user.resource == resource for user in users) for resource in asked} == asked
    assert len(users) == sum(asked.values())
    assert all(user.uuids == ["GPU-1"] for user in users)
    assert seen.gpus == SLICES
    assert len(memory.names(PODS)) == len(users)


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
    assert (seen.users_before, seen.users_after) == ({}, {})


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


@pytest.mark.parametrize("fate", ["lives", "is gone", "is another", "is not ready"])
def test_the_pod_of_the_user_is_looked_for_at_the_end(fate: str, memory: Memory) -> None:
    ready: dict[str, Any] = {"conditions": [{"type": "Ready", "status": "True"}]}
    memory.pod("bystander", "mig-conformance", status=ready)
    node = node_in(memory, came=arrival(), seen=SLICES)
    node.bystander = memory.cluster.pod("bystander")
    assert node.bystander is not None
    uid = node.bystander.uid
    if fate != "lives":
        memory.delete(f"{PODS}/bystander")
    if fate in ("is another", "is not ready"):
        memory.pod("bystander", "mig-conformance", status=ready if fate == "is another" else {})

    seen = look(WatchStay(), node)

    assert seen.users_before == {"bystander": uid}
    assert (seen.users_after == seen.users_before) == (fate == "lives")
    assert bool(seen.users_after) == (fate in ("lives", "is another"))
