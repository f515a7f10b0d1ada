"""The options and the faults of the simulator, for the suite."""

from __future__ import annotations

from conformance.sim.faults import FAULTS
from conformance.sim.options import SimOptions

__all__ = ["SimOptions", "fault_lines", "scheduler_faults"]


def fault_lines() -> list[str]:
    """Return one line of description for each fault."""
    return [str(fault) for fault in FAULTS]


def scheduler_faults(options: SimOptions) -> list[str]:
    """Return the names of the selected faults that belong to the simulated scheduler."""
    return [fault.name for fault in FAULTS if fault.component == "scheduler" and fault.name in options.faults]
