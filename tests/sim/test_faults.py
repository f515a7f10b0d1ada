"""The table of faults: every fault has one component, requirements that exist, and a source."""

from __future__ import annotations

import re

import pytest

from conformance.sim.faults import FAULTS, Fault, Faults, UnknownFaultError
from conformance.spec.requirements import REQUIREMENTS

FROM = re.compile(r"(issues?|v)[ ]?\d|runbook, \"|MIG User Guide|NVML API reference")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_says_what_it_breaks_and_where_it_comes_from(fault: Fault) -> None:
    assert fault.breaks
    assert fault.requirements
    assert set(fault.requirements) <= REQUIREMENTS.keys()
    assert FROM.search(fault.source)


def test_names_are_used_once() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UnknownFaultError, match="unknown fault no-such; there are: driver-"):
        Faults(["no-such"])
