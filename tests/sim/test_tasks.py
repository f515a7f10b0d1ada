"""Background tasks: a failure is told at once, and stopping waits for the end."""

import asyncio
from typing import Any

from conformance.sim.tasks import Tasks


async def test_a_failure_goes_to_the_exception_handler() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def break_down() -> None:
        raise RuntimeError("a bug")

    task = Tasks().spawn(break_down(), "the breaking one")
    await asyncio.wait({task})
    await asyncio.sleep(0)

    assert [context["message"] for context in told] == ["the breaking one failed"]
    assert str(told[0]["exception"]) == "a bug"


async def test_stopping_cancels_and_waits() -> None:
    ended: list[str] = []

    async def linger() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("after its own clean-up")

    tasks = Tasks()
    tasks.spawn(linger(), "the lingering one")
    await asyncio.sleep(0)
    await tasks.stop()

    assert ended == ["after its own clean-up"]
