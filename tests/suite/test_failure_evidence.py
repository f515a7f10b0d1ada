"""What the report shows of a node where a case did not pass, and that it stays small."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cluster import paths
from conformance.report.observations import Evidence
from conformance.spec.names import DEVICE_PLUGIN_APP, DEVICE_PLUGIN_CONTAINER, MIG_MANAGER_APP, OPERATOR_NAMESPACE
from conformance.suite.failure_evidence import take_evidence
from tests.suite.memory import Memory

WAITS = {"phase": "Pending", "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "ErrImagePull"}}}]}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


@pytest.fixture
def memory() -> Memory:
    made = Memory()
    made.watch()
    made.node("a")
    made.pod("manager", node="a", labels={"app": MIG_MANAGER_APP}, status=READY)
    made.pod("plugin", node="a", labels={"app": DEVICE_PLUGIN_APP}, status=READY)
    made.pod("dcgm", node="a", labels={"app": "nvidia-dcgm"}, status=READY)
    made.pod("waits", node="a", labels={"app": "nvidia-dcgm-exporter"}, status=WAITS)
    made.pod("done", node="a", labels={"app": "nvidia-cuda-validator"}, status={"phase": "Succeeded"})
    for pod in ("manager", "plugin", "waits"):
        made.logs[pod, "main"] = "\n".join(f"line {number} of {pod}" for number in range(100))
    items: list[Any] = [{"reason": "Pulled", "message": f"image {number}"} for number in range(30)]
    made._objects[paths.events(OPERATOR_NAMESPACE)] = {"items": items}
    return made


def take(memory: Memory, *manager_log: str, ask: bool = True) -> Evidence:
    return take_evidence(memory.cluster, "a", (0, None), manager_log, ask=ask)


def test_logs_of_operands_that_are_not_ready_come_before_those_that_always_tell_something(memory: Memory) -> None:
    found = take(memory)

    assert [log.pod for log in found.logs] == ["manager", "waits", "plugin"]
    assert found.logs[1].lines[-1] == "line 99 of waits"
    assert {pod.name: (pod.phase, pod.ready, pod.reason) for pod in found.pods}["waits"] == (
        "Pending",
        False,
        "main: ErrImagePull",
    )


def test_what_was_read_of_mig_manager_is_not_read_again(memory: Memory) -> None:
    found = take(memory, *(f"{number}" for number in range(50)))

    assert found.logs[0].container == MIG_MANAGER_APP
    assert found.logs[0].lines == tuple(str(number) for number in range(10, 50))
    assert [log.pod for log in found.logs] == ["manager", "waits", "plugin"]


def test_nothing_is_asked_for_where_nobody_answers(memory: Memory) -> None:
    found = take(memory, "a line", ask=False)

    assert [log.pod for log in found.logs] == ["manager"]
    assert (found.events, found.missing) == ((), ())
    assert len(found.pods) == 5


def test_what_may_not_be_read_is_named_and_the_rest_is_there(memory: Memory) -> None:
    del memory._objects[paths.events(OPERATOR_NAMESPACE)], memory.logs["waits", "main"]
    found = take(memory)

    assert [log.pod for log in found.logs] == ["manager", "plugin"]
    assert len(found.missing) == 2
    assert "the container has no log" in found.missing[1] + found.missing[0]


def test_an_odd_object_does_not_change_the_outcome_of_a_case(memory: Memory) -> None:
    memory._objects[paths.events(OPERATOR_NAMESPACE)] = {"items": None}
    found = take(memory)

    assert [log.pod for log in found.logs] == ["manager", "waits", "plugin"]
    assert len(found.missing) == 3
    assert found.missing[0].startswith("manager: AttributeError")


def test_long_lists_and_lines_are_cut_and_counted(memory: Memory) -> None:
    for number in range(200):
        memory.node("a", {"nvidia.com/number": str(number)})
    memory.logs["plugin", "main"] = "x" * 10_000
    found = take(memory)

    assert len(found.timeline) == 60
    assert found.timeline[-1].change == "number=199"
    assert len(found.events) == 20
    assert found.cut > 140
    assert max(len(line) for log in found.logs for line in log.lines) == 400
    assert len(found.model_dump_json()) < 30_000


def test_the_container_that_failed_is_the_one_whose_log_is_read(memory: Memory) -> None:
    containers = [{"name": name, "image": "x"} for name in ("init", DEVICE_PLUGIN_CONTAINER, "config-manager")]
    ended = {"name": DEVICE_PLUGIN_CONTAINER, "restartCount": 3, "lastState": {"terminated": {"exitCode": 1}}}
    memory.put(
        paths.pod(OPERATOR_NAMESPACE, "plugin"),
        {
            "metadata": {"labels": {"app": DEVICE_PLUGIN_APP}},
            "spec": {"nodeName": "a", "containers": containers},
            "status": {"phase": "Running", "containerStatuses": [ended]},
        },
    )
    memory.logs["plugin", DEVICE_PLUGIN_CONTAINER] = "it broke"

    assert [log.lines for log in take(memory).logs if log.container == DEVICE_PLUGIN_CONTAINER] == [("it broke",)]
