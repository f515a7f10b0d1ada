"""The simulated scheduler, for API servers that have none of their own."""

from conformance.sim.scheduler.scheduler import Scheduler

__all__ = ["Scheduler"]
