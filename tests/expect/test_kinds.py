"""Kinds of geometry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.expect.geometry import WantedGpu
from conformance.expect.kinds import GeometryKind, geometry_kind
from conformance.spec.profile import Profile

SMALL, LARGE = Profile.parse("1g.10gb"), Profile.parse("3g.40gb")


def gpu(*profiles: Profile, on: bool = True) -> WantedGpu:
    return WantedGpu(0, enabled=on, instances=dict.fromkeys(profiles, 1))


@pytest.mark.parametrize(
    ("gpus", "kind"),
    [
        ([gpu(on=False)], GeometryKind.OFF),
        ([gpu(on=False), gpu(on=False)], GeometryKind.OFF),
        ([gpu()], GeometryKind.EMPTY),
        ([gpu(), gpu()], GeometryKind.EMPTY),
        ([gpu(), gpu(on=False)], GeometryKind.PARTIAL),
        ([gpu(SMALL)], GeometryKind.UNIFORM),
        ([gpu(SMALL), gpu(SMALL)], GeometryKind.UNIFORM),
        ([gpu(SMALL), gpu()], GeometryKind.PARTIAL),
        ([gpu(SMALL), gpu(on=False)], GeometryKind.PARTIAL),
        ([gpu(SMALL), gpu(LARGE)], GeometryKind.UNEVEN),
        ([gpu(SMALL, LARGE)], GeometryKind.UNEVEN),
        ([replace(gpu(SMALL), model="a"), replace(gpu(SMALL), model="b")], GeometryKind.UNEVEN),
    ],
)
def test_kind_of_the_geometry_of_all_gpus(gpus: list[WantedGpu], kind: GeometryKind) -> None:
    assert geometry_kind(gpus) is kind
