"""Deadlines on clocks that are faster, slower, or stand still."""

from __future__ import annotations

import time
from dataclasses import dataclass

from conformance.cluster.clock import RealClock
from conformance.cluster.waiting import Deadline


@dataclass
class HandClock:
    scale: float
    time: float = 0.0

    def now(self) -> float:
        return self.time


def test_a_deadline_counts_the_clusters_seconds() -> None:
    clock = HandClock(scale=500)
    deadline = Deadline(clock, 300)
    clock.time = 299

    assert not deadline.expired
    assert deadline.real_seconds_left <= 1 / 500 + 0.001
    clock.time = 300
    assert deadline.expired


def test_a_clock_that_stands_still_does_not_stop_the_deadline() -> None:
    deadline = Deadline(HandClock(scale=500), 0.02)
    time.sleep(0.03)  # real seconds are what is tested

    assert deadline.expired


def test_a_slow_clock_gets_more_real_seconds() -> None:
    deadline = Deadline(HandClock(scale=0.1), 0.02)
    time.sleep(0.03)  # real seconds are what is tested

    assert not deadline.expired


def test_patience_is_kept_on_a_fast_clock() -> None:
    clock = HandClock(scale=500)
    deadline = Deadline(clock, 300, patience=0.05)
    clock.time = 1000

    assert not deadline.expired
    time.sleep(0.06)  # real seconds are what is tested
    assert deadline.expired


def test_patience_does_not_stretch_a_short_limit() -> None:
    deadline = Deadline(RealClock(), 0.02, patience=5)
    time.sleep(0.03)  # real seconds are what is tested

    assert deadline.expired
