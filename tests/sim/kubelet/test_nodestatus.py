"""When a kubelet writes the status of its node: on a grid of ten seconds, and only what changed."""

import asyncio
from typing import Any, cast

import pytest

from conformance.sim.faults import Faults
from conformance.sim.hardware import NodeHardware
from conformance.sim.kube import Kube, Object
from conformance.sim.kubelet.endpoint import LOOPBACK, Endpoint
from conformance.sim.kubelet.nodestatus import PERIOD_SECONDS, NodeStatus
from conformance.sim.node import SimNode
from tests.sim.hand_clock import HandClock
from tests.sim.stage import GPU, Plugin


class Server:
    """Takes every request, and remembers the quantities of GPUs with their time."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.told: list[tuple[float, str, str]] = []

    async def create(self, _: object, body: Object) -> Object:
        return body

    async def patch(self, _: object, __: str, body: Object, *___: Any) -> None:
        status = body["status"]
        self.told.append((self.clock.moment, status["capacity"][GPU], status["allocatable"][GPU]))


class Stand:
    """One registered node."""

    def __init__(self, name: str = "sim-0", faults: tuple[str, ...] = ()) -> None:
        self.clock = HandClock()
        self.server = Server(self.clock)
        self.node = SimNode(name, NodeHardware([]), self.clock, Faults(faults))
        self.status = NodeStatus(cast("Kube", self.server), self.node, Endpoint(LOOPBACK, 10250))

    async def move_to(self, moment: int) -> None:
        """Let time pass second by second, with room for the requests of each."""
        for second in range(int(self.clock.moment), moment + 1):
            self.clock.move_to(second)
            for _ in range(5):
                await asyncio.sleep(0)


@pytest.mark.parametrize("name", ["sim-0", "sim-1", "another"])
async def test_changes_are_written_at_the_next_moment_of_the_grid(name: str) -> None:
    stand = Stand(name)
    await stand.status.register()
    devices, plugin = stand.node.devices, Plugin()
    for moment, change in ((3, devices.register), (47, devices.unregister)):
        await stand.move_to(moment)
        change(GPU, plugin)
    await stand.move_to(400)

    moments = [moment for moment, _, _ in stand.server.told]
    assert [told[1:] for told in stand.server.told] == [("2", "2"), ("2", "0"), ("0", "0")]
    assert 3 <= moments[0] <= 3 + PERIOD_SECONDS
    assert 47 <= moments[1] <= 47 + PERIOD_SECONDS
    assert 347 <= moments[2] <= 347 + PERIOD_SECONDS
    assert (moments[1] - moments[0]) % PERIOD_SECONDS == 0
    assert (moments[2] - moments[1]) % PERIOD_SECONDS == 0


async def test_what_is_gone_again_before_the_look_is_never_told() -> None:
    stand = Stand()
    await stand.status.register()
    stand.node.devices.register(GPU, Plugin())
    await stand.move_to(20)
    stand.node.devices.unregister(GPU, plugin := Plugin())
    stand.node.devices.register(GPU, plugin)
    await stand.move_to(400)

    assert [told[1:] for told in stand.server.told] == [("2", "2")]


async def test_a_node_at_rest_has_no_timer() -> None:
    stand = Stand()
    await stand.status.register()
    await stand.move_to(10)

    assert stand.clock._planned == []


async def test_fault_keeps_capacity_for_ever() -> None:
    stand, plugin = Stand(faults=("kubelet-keeps-capacity",)), Plugin()
    await stand.status.register()
    stand.node.devices.register(GPU, plugin)
    await stand.move_to(20)
    stand.node.devices.unregister(GPU, plugin)
    await stand.move_to(4000)

    assert [told[1:] for told in stand.server.told] == [("2", "2"), ("2", "0")]
