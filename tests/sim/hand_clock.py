"""A clock that a test moves by hand."""

from collections.abc import Callable

from conformance.sim.clock import Clock, Timer


class HandClock(Clock):
    """Time passes only in `move_to`, which runs what is due on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.moment = 0.0
        self._planned: list[tuple[float, Timer]] = []

    def now(self) -> float:
        return self.moment

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        self._planned.append((self.moment + seconds, timer))
        return timer

    def move_to(self, moment: float) -> None:
        """Let time pass until `moment`."""
        while due := [planned for planned in self._planned if planned[0] <= moment]:
            first = min(due, key=lambda planned: planned[0])
            self._planned.remove(first)
            self.moment = first[0]
            first[1].fire()
        self.moment = moment
