"""What came of a restore: the report that the run, its files and the commands show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum

from conformance.cluster import paths
from conformance.cluster.errors import ApiError, ClusterError, InconclusiveError, UnknownNodeError
from conformance.operations.errors import ForeignChangeError, NodeLostError, OperatorGoneError
from conformance.operations.fields import Field, object_name


class RestoreOutcome(StrEnum):
    """How the restore ended."""

    EXACT = "exact"
    """The cluster is as it was found, except for what others changed since."""
    FAILED = "failed"
    """The cluster differs from what was found, or the restore could not be completed."""
    NOT_NEEDED = "not-needed"
    """Nothing had been changed."""


@dataclass(frozen=True)
class Restore:
    """Report of a restore.

    Attributes:
        outcome: How the restore ended.
        differences: What differs from the original state or went wrong, one line each; empty unless it failed.
        changed_since: What others changed since the suite did, one line each; it stays as it is.
        put_back: What was put back, one line each.
        earlier: One line for each earlier run whose changes were found: whether they were put back.
        hindered: Whether it failed for no reason of the cluster: the API server did not answer, a right was missing, a
            node was not Ready, or the user interrupted it. False unless it failed.
    """

    outcome: RestoreOutcome = RestoreOutcome.NOT_NEEDED
    differences: tuple[str, ...] = ()
    changed_since: tuple[str, ...] = ()
    put_back: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    hindered: bool = False

    def worse(self, error: ClusterError, what: str = "") -> Restore:
        """Return the report with one more thing that could not be done, and say what in front of the error."""
        blameless = self.outcome is not RestoreOutcome.FAILED or self.hindered
        return replace(
            self,
            outcome=RestoreOutcome.FAILED,
            differences=(*self.differences, f"{what}: {error}" if what else str(error)),
            hindered=blameless and isinstance(error, InconclusiveError),
        )


@dataclass
class RestoreNotes:
    """What a restore has done and come across so far.

    Attributes:
        differences: What differs from the original state or went wrong, one line each.
        hindrances: What kept the restore from its work for no reason of the cluster, one line each.
        since: What others changed since the suite did, by field, one line each.
        put_back: What was put back, one line each.
    """

    differences: list[str] = field(default_factory=list)
    hindrances: list[str] = field(default_factory=list)
    since: dict[Field, str] = field(default_factory=dict)
    put_back: list[str] = field(default_factory=list)

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the cluster is not certain to be as it was found; empty if it is."""
        return (*self.hindrances, *self.differences)

    @contextmanager
    def recording(self, changed: Field | None = None) -> Iterator[None]:
        """Turn an error into a difference or a hindrance, and a change that others made into a change since.

        An object that is not there was there when the restore compared it: somebody has deleted it.

        Args:
            changed: The field that the block works on; None if it is not exactly one. Then a change that others made is
                a hindrance.
        """
        try:
            yield
        except OperatorGoneError:
            pass  # the report says so, and nothing is awaited any more
        except (ForeignChangeError, NodeLostError) as error:
            if changed is None:
                self.hindrances.append(str(error))
            else:
                self.since[changed] = str(error)
        except InconclusiveError as error:
            self.hindrances.append(str(error))
        except ClusterError as error:
            if gone := _gone(error, changed):
                self.since[Field(gone, ())] = f"{object_name(gone)} is gone"
            else:
                self.differences.append(str(error))

    def report(self) -> Restore:
        """Return the report."""
        return Restore(
            RestoreOutcome.FAILED if self.problems else RestoreOutcome.EXACT,
            self.problems,
            tuple(self.since.values()),
            tuple(self.put_back),
            hindered=bool(self.hindrances) and not self.differences,
        )


def _gone(error: ClusterError, changed: Field | None) -> str:
    """Return the path of an object that somebody deleted during the restore; empty for other errors."""
    if isinstance(error, UnknownNodeError):
        return paths.node(error.node)
    return changed.object if changed is not None and isinstance(error, ApiError) and error.not_found else ""
