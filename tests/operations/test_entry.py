"""What an entry of the journal says is to be put back."""

from __future__ import annotations

import pytest

from conformance.operations.entry import Entry, Found
from conformance.operations.fields import label
from conformance.spec.names import DEPLOY_PREFIX, MIG_CONFIG

NVSM, DCGM = label("sim-0", f"{DEPLOY_PREFIX}nvsm"), label("sim-0", f"{DEPLOY_PREFIX}dcgm")
CONFIGURATION = label("sim-0", MIG_CONFIG)
PAUSED = "paused-for-mig-change"


def entry(**labels: str) -> Entry:
    found = Found({f"{DEPLOY_PREFIX}{name}": value for name, value in labels.items()}, (), {}, (), "single")
    return Entry("run-1", "me", "today", NVSM.object, "u", found)


def raw(**labels: str) -> dict[str, object]:
    return {"metadata": {"labels": {f"{DEPLOY_PREFIX}{name}": value for name, value in labels.items()}}}


@pytest.mark.parametrize("now", ["true", PAUSED])
def test_a_label_that_mig_manager_added_for_this_run_was_not_there_before(now: str) -> None:
    asked = entry().intending(raw(), {CONFIGURATION: "all-1g.10gb"})

    assert asked.intending(raw(nvsm=now), {NVSM: "false"}).changes[NVSM].original is None


def test_a_label_that_mig_manager_paused_for_this_run_was_true_before() -> None:
    asked = entry(dcgm="true").intending(raw(dcgm="true"), {CONFIGURATION: "all-1g.10gb"})

    assert asked.intending(raw(dcgm=PAUSED), {DCGM: "false"}).changes[DCGM].original == "true"


def test_without_a_request_of_this_run_the_value_is_that_of_others() -> None:
    assert entry().intending(raw(nvsm="true"), {NVSM: "false"}).changes[NVSM].original == "true"


def test_a_value_that_mig_manager_does_not_write_is_that_of_others() -> None:
    asked = entry(dcgm="true").intending(raw(dcgm="true"), {CONFIGURATION: "all-1g.10gb"})

    assert asked.intending(raw(dcgm="maybe"), {DCGM: "false"}).changes[DCGM].original == "maybe"
