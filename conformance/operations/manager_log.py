"""Reads mig-manager's log: whether it is idle, what it logged since a position, and why it failed.

The format is that of mig-parted v0.15.0 (tests/recordings/data/mig-manager-transitions.json.gz). The lines searched for
have not changed since the first releases.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from conformance.cluster.errors import ApiError
from conformance.cluster.observed import ObservedCluster
from conformance.cluster.pod_view import PodView
from conformance.spec.names import MIG_MANAGER_APP

LOG_PAUSE: Final = 1.0
"""Seconds of the cluster's clock between two reads of a log, because logs cannot be watched for changes."""
_STARTED = "Updating to MIG config"
_IDLE = "Waiting for change to"
_ERROR_LEVELS = ("level=error", "level=fatal")
_HARMLESS = "Assertion failure: selected configuration not currently applied"
"""Logged by mig-parted at level fatal before every change; not an error."""
_RESUMES = "Restarting all GPU clients previously shutdown"
"""Logged when the operands are resumed after the GPUs were changed; if there was nothing to change, `any` is logged."""
_TAIL = 2000
"""Number of lines to read: more than one reconfiguration of 16 GPUs logs."""
_EPOCH = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class LogPosition:
    """End of the log of one mig-manager pod when it was read.

    Attributes:
        uid: UID of the pod.
        stamp: Time of the last line as written by the server; empty if the log was empty.
        busy: Whether a reconfiguration was in progress; None if the log does not show it.
    """

    uid: str
    stamp: str
    busy: bool | None


def manager_pod(cluster: ObservedCluster, node: str) -> PodView | None:
    """Return mig-manager's newest pod on a node, ignoring terminating pods; None if there is none."""
    pods = [pod for pod in cluster.operands(node, MIG_MANAGER_APP) if not pod.terminating]
    return max(pods, key=lambda pod: pod.created, default=None)


def log_position(cluster: ObservedCluster, pod: PodView) -> LogPosition | None:
    """Read the current end of the log; None if the log does not exist or may not be read."""
    lines = _read(cluster, pod, since=None)
    if lines is None:
        return None
    events = [_STARTED in text for _, text in lines if _STARTED in text or _IDLE in text]
    return LogPosition(pod.uid, stamp=lines[-1][0] if lines else "", busy=events[-1] if events else None)


def log_since(cluster: ObservedCluster, node: str, position: LogPosition | None) -> tuple[str, ...]:
    """Read the lines that mig-manager on a node logged after `position`, without their times.

    If the pod was replaced since then, the whole log of the new pod is returned. Empty if `position` is None, or if
    the log does not exist or may not be read.
    """
    pod = manager_pod(cluster, node)
    if pod is None or position is None:
        return ()
    same = position.uid == pod.uid and bool(position.stamp)
    lines = _read(cluster, pod, since=position.stamp if same else None) or []
    after = _time(position.stamp) if same else _EPOCH
    return tuple(text for stamp, text in lines if _time(stamp) > after)


def has_resumed(cluster: ObservedCluster, pod: PodView) -> bool:
    """Return whether this process of mig-manager has already changed the GPUs and resumed the operands afterwards.

    Such a process no longer resumes them when a later change fails: docs/reference/mig-manager.md#the-resumed-flag.
    False if the log cannot be read.
    """
    lines = _read(cluster, pod, since=None, tail=None)
    return any(_RESUMES in text for _, text in lines or ())


def has_started_since(cluster: ObservedCluster, node: str, position: LogPosition | None, *, run: bool) -> bool:
    """Return whether a mig-manager that was started after `position` is idle now; False if the log cannot be read.

    Args:
        cluster: The cluster.
        node: Name of the node.
        position: End of the log before the start.
        run: Whether it must also have finished a reconfiguration since then, as it does if the node has a label.
    """
    log = log_since(cluster, node, position)
    events = [_STARTED in line for line in log if _STARTED in line or _IDLE in line]
    return bool(events) and not events[-1] and (any(events) or not run)


def failure_reason(log: tuple[str, ...]) -> str:
    """Return the last three distinct lines with errors, joined by ` | `; empty if there are none."""
    errors = [line for line in log if line and any(mark in line for mark in _ERROR_LEVELS) and _HARMLESS not in line]
    return " | ".join(list(dict.fromkeys(errors))[-3:])


def _read(
    cluster: ObservedCluster, pod: PodView, since: str | None, tail: int | None = _TAIL
) -> list[tuple[str, str]] | None:
    try:
        lines = cluster.logs(pod, MIG_MANAGER_APP, tail=tail, since=since, timestamps=True)
    except ApiError:
        # Forbidden, or the container has not started. The log helps but is not required.
        return None
    return [(stamp, text) for stamp, _, text in (line.partition(" ") for line in lines) if stamp]


def _time(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)
