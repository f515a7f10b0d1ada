"""What preflight finds, and how a check says it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from conformance.preflight.snapshot import Snapshot


class Severity(StrEnum):
    """What a finding means for a run."""

    BLOCKS = "blocks"
    """The requirements that it rules out cannot be judged, or fail for this reason."""
    WARNS = "warns"
    """A run can judge all the same, but this may disturb it, or change what it says."""


@dataclass(frozen=True)
class PreflightFinding:
    """Something that keeps a run from judging, or may disturb it.

    Attributes:
        id: Name of the check, see `conformance.preflight.table`.
        severity: What it means for a run.
        objects: The objects on which it was found, all alike, such as `node gpu-1`.
        found: What was found, without the names of the objects.
        rules_out: Ids of the requirements that cannot be judged there, in order; empty if there are none.
        fix: What to do about it; where it names a pod, that of the first object.
    """

    id: str
    severity: Severity
    objects: tuple[str, ...]
    found: str
    rules_out: tuple[str, ...]
    fix: str


@dataclass(frozen=True)
class Seen:
    """What a check has seen on one object.

    Attributes:
        object: The object, such as `node gpu-1`.
        found: What was found on it.
        fix: What to do about it.
        rules_out: The requirements that it rules out; None for those of the check.
    """

    object: str
    found: str
    fix: str
    rules_out: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Check:
    """One row of the table.

    Attributes:
        id: Name of its findings.
        severity: Severity of its findings.
        rules_out: Requirements that its findings rule out, unless a finding names its own.
        title: What it looks for, in one phrase.
        look: Looks at a snapshot; a pure function.
    """

    id: str
    severity: Severity
    rules_out: tuple[str, ...]
    title: str
    look: Callable[[Snapshot], Iterable[Seen]]
