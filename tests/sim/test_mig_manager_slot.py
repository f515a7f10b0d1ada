"""The hand-over of the label: what is run and what is never seen (docs/reference/mig-manager.md#when-it-acts)."""

from __future__ import annotations

import asyncio

import pytest

from conformance.sim.mig_manager.slot import ConfigSlot


async def worker(slot: ConfigSlot, taken: list[str]) -> None:
    while True:
        taken.append(await slot.take())


def idle(*values: str) -> list[str]:
    """Hand values over one by one, each when the worker waits; what it runs."""

    async def play() -> list[str]:
        slot = ConfigSlot()
        taken: list[str] = []
        task = asyncio.create_task(worker(slot, taken))
        for value in ("", *values):
            slot.put(value)
            await asyncio.sleep(0.001)
        task.cancel()
        return taken

    return asyncio.run(play())


def busy(first: str, *during: str) -> list[str]:
    """Hand values over while the worker runs `first`; what it runs afterwards."""

    async def play() -> list[str]:
        slot = ConfigSlot()
        taken: list[str] = []
        slot.put(first)
        await slot.take()
        for value in during:
            slot.put(value)
        task = asyncio.create_task(worker(slot, taken))
        await asyncio.sleep(0.001)
        task.cancel()
        return taken

    return asyncio.run(play())


@pytest.mark.parametrize(
    ("during", "later"),
    [(("b", "c"), ["c"]), (("b", "a"), []), (("", "a"), []), (("",), [""]), ((), [])],
)
def test_only_what_the_label_says_at_the_end_of_a_run_is_run(during: tuple[str, ...], later: list[str]) -> None:
    assert busy("a", *during) == later


@pytest.mark.parametrize(
    ("values", "taken"),
    [(("a",), ["a"]), (("",), []), (("a", "a"), ["a", "a"]), (("a", ""), ["a"]), (("a", "", "a"), ["a", "a"])],
)
def test_an_idle_worker_runs_what_comes_and_ignores_that_the_label_goes(
    values: tuple[str, ...], taken: list[str]
) -> None:
    assert idle(*values) == taken


def test_faults_change_what_is_handed_over() -> None:
    async def taken(slot: ConfigSlot, *values: str) -> list[str]:
        found: list[str] = []
        task = asyncio.create_task(worker(slot, found))
        for value in values:
            slot.put(value, "success")
        await asyncio.sleep(0.001)
        task.cancel()
        return found

    assert asyncio.run(taken(ConfigSlot(), "a", "b")) == ["b"]
    assert asyncio.run(taken(ConfigSlot(queues=True), "a", "b")) == ["a", "b"]
    assert asyncio.run(taken(ConfigSlot(drops_empty=True), "a", "")) == ["a"]
