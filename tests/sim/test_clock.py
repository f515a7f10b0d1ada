"""The clock: timers in order, time that runs with the scale and stands still for a starved process."""

import asyncio
import time
from functools import partial

import pytest

from conformance.sim.clock import LATENESS, Clock


async def test_a_sleep_takes_its_time_divided_by_the_scale() -> None:
    clock = Clock(scale=100)
    began = time.monotonic()

    await clock.sleep(5)

    assert 0.05 <= time.monotonic() - began < 4
    assert clock.now() == pytest.approx(5, abs=3)


async def test_timers_fire_in_the_order_in_which_they_are_due() -> None:
    clock, fired = Clock(scale=1000), list[int]()
    done = asyncio.Event()

    for seconds in (3, 1, 2):
        clock.call_later(seconds, partial(fired.append, seconds))
    clock.call_later(4, done.set)
    await done.wait()

    assert fired == [1, 2, 3]


async def test_a_cancelled_timer_does_not_fire() -> None:
    clock, fired = Clock(scale=1000), list[str]()

    clock.call_later(1, partial(fired.append, "cancelled")).cancel()
    await clock.sleep(2)

    assert fired == []


async def test_time_stands_still_while_the_process_is_starved() -> None:
    """A quarter of a second without the event loop counts as one tick, not as four minutes of cluster time."""
    clock = Clock(scale=1000)
    clock.start()
    before = clock.now()

    time.sleep(0.25)  # noqa: ASYNC251 - a loop that is blocked is what this is about

    assert clock.now() - before <= (clock.tick + LATENESS) * 1000


async def test_a_limit_outlasts_a_busy_loop() -> None:
    clock = Clock(scale=1000)
    finished = asyncio.Event()

    async def work() -> None:
        for _ in range(20):
            time.sleep(0.02)  # noqa: ASYNC251 - real work in the loop: 400 s at this scale, were it counted
            await asyncio.sleep(0)
        finished.set()

    worker = asyncio.create_task(work())
    assert await clock.wait(finished, 200)
    await worker


async def test_waiting_ends_with_the_result_of_what_is_awaited() -> None:
    async def answer() -> int:
        return 42

    assert await Clock(scale=100).wait(answer(), 10) == 42


async def test_waiting_too_long_cancels_what_is_awaited() -> None:
    clock = Clock(scale=1000)
    awaited = asyncio.ensure_future(asyncio.Event().wait())

    with pytest.raises(TimeoutError):
        await clock.wait(awaited, 1)

    assert awaited.cancelled()


async def test_cancelling_the_waiter_is_no_timeout() -> None:
    clock = Clock(scale=1)
    waiting = asyncio.create_task(clock.wait(asyncio.Event(), 60))
    await asyncio.sleep(0)

    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_the_time_of_day_moves_with_the_clock() -> None:
    clock = Clock(scale=1000)
    before = clock.time()

    await clock.sleep(3600 / 60)

    assert (clock.time() - before).total_seconds() >= 60


async def test_a_stopped_clock_shows_the_same_time_for_ever() -> None:
    clock = Clock(scale=1000)
    await clock.sleep(1)

    clock.stop()
    shown = clock.now()
    await asyncio.sleep(0.02)

    assert clock.now() == shown


def test_a_clock_that_was_never_started_shows_zero() -> None:
    assert Clock(scale=1000).now() == 0


@pytest.mark.parametrize("scale", [0, -1])
def test_a_scale_must_be_positive(scale: float) -> None:
    with pytest.raises(ValueError, match="more than zero"):
        Clock(scale)
