"""Fields of objects: what components of the product may make of a value that the suite left there."""

from __future__ import annotations

import pytest

from conformance.operations.fields import label, turned_into
from conformance.spec.names import DEPLOY_PREFIX, MIG_CONFIG, PAUSED


@pytest.mark.parametrize(
    ("name", "value", "later"),
    [
        (MIG_CONFIG, None, ("all-disabled",)),
        (MIG_CONFIG, "", ("all-disabled",)),
        (MIG_CONFIG, "all-1g.10gb", ()),
        (DEPLOY_PREFIX + "dcgm", "true", (PAUSED,)),
        (DEPLOY_PREFIX + "dcgm", "false", ()),
        (DEPLOY_PREFIX + "nvsm", None, ("true", PAUSED)),
    ],
)
def test_what_becomes_of_a_label(name: str, value: str | None, later: tuple[str, ...]) -> None:
    assert turned_into(label("sim-0", name), value) == later
