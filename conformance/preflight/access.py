"""Checks of the credentials: rights that are missing, and objects that the server would not create."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from conformance.operations.rights import Level
from conformance.preflight.finding import Seen
from conformance.preflight.requirements import ALL, CHANGES, PODS, WIDE
from conformance.preflight.snapshot import Snapshot

_RULED_OUT: Final = {
    Level.READ: ALL,
    Level.DISRUPTIVE: (*CHANGES, *PODS),
    Level.CLUSTER_WIDE: WIDE,
    Level.EXEC: (),
    Level.PUBLISH: (),
    Level.UNPUBLISH: (),
}
"""What cannot be judged without the rights of a level. Without exec, a pod of the suite reads the GPUs."""


def missing(snapshot: Snapshot) -> Iterator[Seen]:
    """The credentials lack rights for what the options allow."""
    for right in snapshot.missing:
        option = f"; {right.level} needs it" if right.level else ""
        fix = "grant it with the ClusterRole of the suite, or use another account"
        yield Seen("credentials", f"they may not {right.what}{option}", fix, _RULED_OUT[right.level])


def refused(snapshot: Snapshot) -> Iterator[Seen]:
    """Admission would reject an object of the suite."""
    for refusal in snapshot.refusals:
        fix = "exempt namespace mig-conformance from the policy, or change what it asks of pods there"
        yield Seen(refusal.object, f"the server would not create it: {refusal.message}", fix)


def unread(snapshot: Snapshot) -> Iterator[Seen]:
    """The credentials may not read something, so that preflight says nothing of it."""
    for path in snapshot.unread:
        if not path.endswith("/clusterpolicies"):
            yield Seen(path, "these credentials may not read it, so nothing is said of it", "grant get and list")
