"""Since when a failure was so: when its value appeared, or else when the configuration was requested."""

from __future__ import annotations

import pytest

from conformance.expect.finding import Finding
from conformance.report.html.onset import onset
from conformance.report.observations import Stay, TimelineEntry
from conformance.spec.names import MIG_CONFIG, MIG_CONFIG_STATE

STAY = Stay(start=100, end=200, strategy="single", configuration="all-1g.10gb")


def entry(time: float, change: str, **values: str | int | None) -> TimelineEntry:
    return TimelineEntry(time=time, kind="labels", subject="", change=change, values=values)


TIMELINE = (
    entry(90, "gpu.count=15, gpu.replicas=1"),
    entry(110, "mig.config=all-1g.10gb", **{MIG_CONFIG: "all-1g.10gb"}),
    entry(120, "mig.config.state=pending", **{MIG_CONFIG_STATE: "pending"}),
    entry(130, "allocatable nvidia.com/gpu: 2 -> 13", **{"allocatable nvidia.com/gpu": 13}),
    entry(135, "mig.config.state=failed", **{MIG_CONFIG_STATE: "failed"}),
    entry(140, "gpu.count=15, gpu.replicas=1"),
    entry(150, "gpu.count=15, gpu.replicas=2"),
    entry(250, "gpu.count=17"),
)


@pytest.mark.parametrize(
    ("finding", "since"),
    [
        (Finding(("nvidia.com/gpu.count: 14",), ("nvidia.com/gpu.count: 15",)), 140),
        (Finding(("nvidia.com/gpu: 14",), ("nvidia.com/gpu: 13",)), 130),
        (Finding(("pending", "success"), ("pending", "failed")), 135),
        (Finding(("a", "b"), ("a",), missing=("b",)), 110),
        (Finding(("nvidia.com/gpu.count: 14",), ("nvidia.com/gpu.count: 17",)), 110),
        (Finding(("nothing",), ("a pod is Pending",)), 110),
        (Finding(("x",), ("nvidia.com/gpu.count: 1",)), 110),
        (None, 110),
    ],
)
def test_it_began_when_the_value_appeared(finding: Finding | None, since: float) -> None:
    assert onset(finding, STAY, TIMELINE) == since


def test_without_a_request_it_began_with_the_stay() -> None:
    assert onset(None, STAY, TIMELINE[:1]) == 100
    assert onset(None, STAY, ()) == 100
