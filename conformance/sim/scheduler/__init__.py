"""The scheduler. It only runs if the cluster has none of its own."""

from conformance.sim.scheduler.scheduler import Scheduler

__all__ = ["Scheduler"]
