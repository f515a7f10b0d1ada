"""The kinds of geometry: classes of the geometries of all GPUs of a node that cases distinguish."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from conformance.expect.geometry import WantedGpu


class GeometryKind(StrEnum):
    """A class of geometries that the operands of a node treat alike."""

    OFF = "off"
    """No GPU is in MIG mode."""
    EMPTY = "empty"
    """Every GPU is in MIG mode, and none has instances."""
    UNIFORM = "uniform"
    """Every GPU has instances, all with one profile on GPUs of one model."""
    UNEVEN = "uneven"
    """Every GPU has instances, with several profiles or on GPUs of several models."""
    PARTIAL = "partial"
    """At least one GPU is in MIG mode and at least one has no instances, but the geometry is not `empty`."""


SLICED: Final = (GeometryKind.UNIFORM, GeometryKind.UNEVEN)
"""The kinds with instances on every GPU."""
EVERY_KIND: Final = tuple(GeometryKind)


def geometry_kind(wanted: Iterable[WantedGpu]) -> GeometryKind:
    """Return the kind of the geometry of all GPUs of a node; a node without GPUs counts as `off`."""
    gpus = list(wanted)
    if not any(gpu.enabled for gpu in gpus):
        return GeometryKind.OFF
    if not all(gpu.instances for gpu in gpus):
        empty = all(gpu.enabled and not gpu.instances for gpu in gpus)
        return GeometryKind.EMPTY if empty else GeometryKind.PARTIAL
    kinds = {(gpu.model, profile) for gpu in gpus for profile in gpu.instances}
    return GeometryKind.UNIFORM if len(kinds) == 1 else GeometryKind.UNEVEN
