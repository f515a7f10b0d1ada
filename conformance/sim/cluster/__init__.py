"""The simulated cluster: all components in one thread of the caller's process."""

from conformance.sim.cluster.by_hand import obey
from conformance.sim.cluster.running import SimulatedCluster
from conformance.sim.cluster.simulation import SimulationError
from conformance.sim.options import SimOptions

__all__ = ["SimOptions", "SimulatedCluster", "SimulationError", "obey"]
