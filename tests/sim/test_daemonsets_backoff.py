"""Waits between replacements of failed pods."""

from __future__ import annotations

from conformance.sim.daemonsets.backoff import FailureBackOff


def test_waits_double_up_to_fifteen_minutes_per_place() -> None:
    back_off = FailureBackOff()
    now, waits = 0.0, []
    for _ in range(12):
        assert back_off.remaining("here", now) == 0
        waits.append(back_off.remaining("here", now))
        now += waits[-1]

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert back_off.remaining("elsewhere", now) == 0


def test_a_place_that_was_quiet_for_long_starts_anew() -> None:
    back_off = FailureBackOff()
    for moment in (0, 1, 3):
        assert back_off.remaining("here", moment) == 0

    assert back_off.remaining("here", 5000) == 0
    assert back_off.remaining("here", 5000) == 1
