"""What a trial keeps of a node: log, pods, labels and resources from the moment before it to the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from conformance.cluster.errors import InconclusiveError
from conformance.expect.trial import RUNS_ON
from conformance.spec.names import MIG_CONFIG_STATE, MIG_MANAGER_APP, OPERATOR_NAMESPACE
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.observer import Observation
from conformance.suite.trials import TrialWatch
from conformance.suite.workloads import Workloads
from tests.expect.made import SEVEN, gpu
from tests.suite.memory import Memory
from tests.suite.nodes import node_in

PLUGIN = "nvidia-device-plugin-daemonset"
RESUMED = "2026-11-24T12:00:00Z Restarting all GPU clients previously shutdown in Kubernetes by reenabling them"
IDLE = "2026-11-24T12:00:01Z Waiting for change to 'nvidia.com/mig.config' label"


class Gpus:
    """Workloads that read the same GPUs each time."""

    def read_gpus(self) -> Observation:
        return Observation((gpu(SEVEN),), ())


def a_node(*log: str) -> tuple[Memory, NodeInCell]:
    memory = Memory()
    memory.node(gpu=7)
    owner = {"ownerReferences": [{"kind": "DaemonSet", "name": "it", "controller": True}]}
    for app in (MIG_MANAGER_APP, PLUGIN):
        memory.pod(app, labels={"app": app})
        path = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{app}"
        raw = memory.get(path)
        memory.put(path, raw | {"metadata": raw["metadata"] | owner})
    if log:
        memory.logs[MIG_MANAGER_APP, MIG_MANAGER_APP] = "\n".join(log)
    memory.watch()
    node = node_in(memory)
    node.workloads = cast("Workloads", Gpus())
    return memory, node


def test_without_the_log_nobody_can_judge() -> None:
    _, node = a_node()

    with pytest.raises(InconclusiveError, match="pods/log"):
        TrialWatch(node)


def test_a_quiet_node_is_as_it_was() -> None:
    _, node = a_node(IDLE)

    trial = TrialWatch(node).trial("")

    assert trial.operands == {MIG_MANAGER_APP: RUNS_ON, PLUGIN: RUNS_ON}
    assert (trial.states, trial.answer, trial.seconds, trial.reason) == ((), None, None, "")
    assert trial.before == trial.after
    assert not trial.resumed_before


def test_what_happens_is_kept() -> None:
    memory, node = a_node(RESUMED, IDLE)
    watch = TrialWatch(node)

    memory.delete(f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{PLUGIN}")
    memory.node(labels={MIG_CONFIG_STATE: "failed"}, gpu=0)
    memory.logs[MIG_MANAGER_APP, MIG_MANAGER_APP] += "\n2026-11-24T12:00:02Z level=error msg=broken"
    trial = watch.trial("nope")

    assert trial.operands == {MIG_MANAGER_APP: RUNS_ON, PLUGIN: "gone"}
    assert (trial.states, trial.answer, trial.reason) == (("failed",), "failed", "level=error msg=broken")
    assert [(change.before, change.after) for change in trial.resource_changes if change.field == "allocatable"] == [
        (7, 0)
    ]
    assert trial.seconds is not None
    assert trial.resumed_before


class LateReport(Gpus):
    """GPUs whose second reading ends as kubelet reports that the plugin was gone for a moment."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._readings = 0

    def read_gpus(self) -> Observation:
        self._readings += 1
        if self._readings == 2:
            self._memory.node(gpu=0)
        return super().read_gpus()


def test_resources_that_kubelet_reports_late_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, node = a_node(IDLE)
    node.workloads = cast("Workloads", LateReport(memory))
    watch = TrialWatch(node)

    def give_time(condition: Callable[[], object], *_: object, **__: object) -> None:
        if not condition():
            memory.node(gpu=7)
            assert condition()

    monkeypatch.setattr(memory.cluster, "give_time", give_time)
    trial = watch.trial("", resources={"nvidia.com/gpu": 7})

    assert trial.after.allocatable == {"nvidia.com/gpu": 7}
