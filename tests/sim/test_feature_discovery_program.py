"""GPU Feature Discovery as a program: its NodeFeature object over time."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from typing import Any

from conformance.sim.clock import Clock
from conformance.sim.feature_discovery import feature_discovery
from conformance.sim.hardware import NodeHardware
from conformance.sim.kube import KubeError
from tests.sim.containers import Log, container, settle
from tests.sim.partitioned import cut, partitioned

SEVEN = ["1g.10gb"] * 7
BALANCED = ["3g.40gb", "2g.20gb", "1g.10gb", "1g.10gb"]
PRODUCT = "nvidia.com/gpu.product"


class NodeFeatures:
    """An API server with NodeFeature objects alone."""

    def __init__(self, error: KubeError | None = None) -> None:
        self.objects: dict[str, Any] = {}
        self.writes = 0
        self._error = error

    async def get(self, _: object, name: str, namespace: str) -> Any:
        if self._error:
            raise self._error
        if name not in self.objects:
            raise KubeError(404, "NotFound", f"{namespace}/{name}")
        return copy.deepcopy(self.objects[name])

    async def create(self, resource: object, body: Any, namespace: str) -> None:
        assert body["metadata"]["namespace"] == namespace
        await self.replace(resource, body)

    async def replace(self, _: object, body: Any) -> None:
        self.writes += 1
        stored = copy.deepcopy(body)
        stored["metadata"]["resourceVersion"] = str(self.writes)
        self.objects[body["metadata"]["name"]] = stored

    @property
    def labels(self) -> Mapping[str, str]:
        (found,) = self.objects.values()
        labels: Mapping[str, str] = found["spec"]["labels"]
        return labels


async def run(
    hardware: NodeHardware, kube: NodeFeatures, *, clock: Clock | None = None, strategy: str = "mixed"
) -> tuple[int, Log]:
    """Let the program label once and end, as in the first second of a pod that is deleted soon."""
    log = Log()
    inside = container(hardware, env={"MIG_STRATEGY": strategy}, log=log, kube=kube, clock=clock)
    program = asyncio.create_task(feature_discovery(inside))
    await settle()
    inside.stop.set()
    return await program, log


def once(hardware: NodeHardware, kube: NodeFeatures, strategy: str = "mixed") -> tuple[int, Log]:
    return asyncio.run(run(hardware, kube, strategy=strategy))


def test_object_is_owned_by_pod_and_daemon_set_and_stays() -> None:
    kube = NodeFeatures()

    assert once(partitioned(SEVEN), kube)[0] == 0

    meta = kube.objects["nvidia-features-for-sim-0"]["metadata"]
    assert meta["labels"] == {"nfd.node.kubernetes.io/node-name": "sim-0"}
    assert [(owner["kind"], owner["uid"]) for owner in meta["ownerReferences"]] == [
        ("DaemonSet", "set-uid"),
        ("Pod", "pod-uid"),
    ]
    assert kube.labels["nvidia.com/mig-1g.10gb.count"] == "7"


def test_labels_follow_the_geometry_within_a_minute() -> None:
    async def scenario() -> tuple[NodeFeatures, Sequence[int]]:
        clock = Clock(scale=600)
        clock.start()
        hardware, kube = partitioned(SEVEN), NodeFeatures()
        inside = container(hardware, env={"MIG_STRATEGY": "mixed"}, log=Log(), kube=kube, clock=clock)
        program = asyncio.create_task(feature_discovery(inside))
        await clock.sleep(150)
        before = kube.writes
        cut(hardware.gpus[0], BALANCED)
        await clock.sleep(90)
        inside.stop.set()
        await program
        clock.stop()
        return kube, (before, kube.writes)

    kube, writes = asyncio.run(scenario())

    assert writes == (1, 2)
    assert kube.labels["nvidia.com/mig-3g.40gb.count"] == "1"
    assert kube.labels["nvidia.com/mig-1g.10gb.count"] == "2"


def test_timestamp_is_that_of_the_start() -> None:
    kube = NodeFeatures()
    clock = Clock()

    asyncio.run(run(partitioned(SEVEN), kube, clock=clock))

    assert abs(int(kube.labels["nvidia.com/gfd.timestamp"]) - clock.time().timestamp()) < 5


def test_api_error_ends_the_program() -> None:
    rc, log = once(partitioned(SEVEN), NodeFeatures(KubeError(403, "Forbidden", "not for you")))

    assert rc == 1
    assert "not for you" in log.texts[-1]


def test_dead_driver_ends_the_program() -> None:
    hardware = partitioned(SEVEN)
    hardware.init_error = 9

    rc, log = once(hardware, NodeFeatures())

    assert (rc, log.texts[-1]) == (
        1,
        "error creating labeler: failed to initialize resource manager: Driver Not Loaded",
    )


def test_stale_labels_fault_keeps_the_former_geometry() -> None:
    kube = NodeFeatures()
    hardware = partitioned(SEVEN, faults=["gfd-stale-labels"])
    once(hardware, kube)
    cut(hardware.gpus[0], ["3g.40gb", "3g.40gb"])

    once(hardware, kube)

    assert {"nvidia.com/mig-1g.10gb.count", "nvidia.com/mig-3g.40gb.count"} <= set(kube.labels)


def test_old_timestamp_fault_keeps_the_first_timestamp() -> None:
    kube = NodeFeatures()
    hardware = partitioned(SEVEN, faults=["gfd-old-timestamp"])
    once(hardware, kube)
    kube.objects["nvidia-features-for-sim-0"]["spec"]["labels"]["nvidia.com/gfd.timestamp"] = "1"

    once(hardware, kube, strategy="single")

    assert kube.labels["nvidia.com/gfd.timestamp"] == "1"
    assert kube.labels[PRODUCT] == "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"
