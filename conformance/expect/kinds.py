"""What a configuration makes of the GPUs of a node, taken together: the kinds of geometry that cases tell apart."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from conformance.expect.geometry import WantedGpu


class GeometryKind(StrEnum):
    """A class of geometries that a node's components treat alike."""

    OFF = "off"
    """No GPU is in MIG mode."""
    EMPTY = "empty"
    """Every GPU is in MIG mode and none has an instance."""
    UNIFORM = "uniform"
    """Every GPU carries instances, all of one profile."""
    UNEVEN = "uneven"
    """Every GPU carries instances, of several profiles or on GPUs of several models."""
    PARTIAL = "partial"
    """Some GPUs carry instances, and others none."""


SLICED: Final = (GeometryKind.UNIFORM, GeometryKind.UNEVEN)
"""Geometries with instances on every GPU."""
EVERY_KIND: Final = tuple(GeometryKind)


def geometry_kind(wanted: Iterable[WantedGpu]) -> GeometryKind:
    """Classify what a configuration asks of all GPUs of a node."""
    gpus = list(wanted)
    if not any(gpu.enabled for gpu in gpus):
        return GeometryKind.OFF
    if not all(gpu.instances for gpu in gpus):
        empty = all(gpu.enabled and not gpu.instances for gpu in gpus)
        return GeometryKind.EMPTY if empty else GeometryKind.PARTIAL
    kinds = {(gpu.model, profile) for gpu in gpus for profile in gpu.instances}
    return GeometryKind.UNIFORM if len(kinds) == 1 else GeometryKind.UNEVEN
