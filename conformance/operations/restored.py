"""What came of a restore: the report that the run, its files and the commands show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from conformance.cluster.errors import ClusterError, InconclusiveError


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
