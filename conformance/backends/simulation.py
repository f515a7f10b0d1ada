"""What the suite knows of the simulator before it starts one: its options and its defects."""

from __future__ import annotations

from conformance.sim.faults import FAULTS
from conformance.sim.options import SimOptions

__all__ = ["SimOptions", "fault_lines", "scheduler_faults"]


def fault_lines() -> list[str]:
    """Describe each defect that can be switched on, a line each."""
    return [str(fault) for fault in FAULTS]


def scheduler_faults(options: SimOptions) -> list[str]:
    """Those of the faults that only a simulated scheduler can have."""
    return [fault.name for fault in FAULTS if fault.component == "scheduler" and fault.name in options.faults]
