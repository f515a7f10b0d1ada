"""mig-manager's log: whether it is idle, what it wrote since a moment, and why it failed.

Lines as mig-parted v0.15.0 writes them (tests/recordings/data/mig-manager-transitions.json.gz); the ones looked for are
the same since the first releases.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from conformance.cluster.errors import ApiError
from conformance.cluster.observed import ObservedCluster
from conformance.cluster.pod_view import PodView
from conformance.spec.names import MIG_MANAGER_APP

_BEGINS = "Updating to MIG config"
_WAITS = "Waiting for change to"
_COMPLAINTS = ("level=error", "level=fatal")
_EXPECTED = "Assertion failure: selected configuration not currently applied"
"""What mig-parted says, at level fatal, before every change."""
_TAIL = 2000
"""More lines than one reconfiguration writes on 16 GPUs."""
_EPOCH = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class LogPosition:
    """Where the log of one mig-manager pod stood.

    Attributes:
        uid: The pod.
        stamp: Time of the last line as the server wrote it; empty where the log was empty.
        busy: A reconfiguration had begun and not ended; None where the log says neither.
    """

    uid: str
    stamp: str
    busy: bool | None


def manager_pod(cluster: ObservedCluster, node: str) -> PodView | None:
    """Find the newest pod of mig-manager on a node that is not being deleted; None where there is none."""
    pods = [pod for pod in cluster.operands(node, MIG_MANAGER_APP) if not pod.terminating]
    return max(pods, key=lambda pod: pod.created, default=None)


def log_position(cluster: ObservedCluster, pod: PodView) -> LogPosition | None:
    """Read where the log stands; None where this run may not read it or it is not there."""
    lines = _read(cluster, pod, since=None)
    if lines is None:
        return None
    events = [_BEGINS in text for _, text in lines if _BEGINS in text or _WAITS in text]
    return LogPosition(pod.uid, stamp=lines[-1][0] if lines else "", busy=events[-1] if events else None)


def log_since(cluster: ObservedCluster, node: str, end: LogPosition | None) -> tuple[str, ...]:
    """Read what mig-manager of a node wrote after `end`, without times; empty where it may not be read.

    Where the pod is another one than then, all of its log.
    """
    pod = manager_pod(cluster, node)
    if pod is None or end is None:
        return ()
    same = end.uid == pod.uid and bool(end.stamp)
    lines = _read(cluster, pod, since=end.stamp if same else None) or []
    after = _time(end.stamp) if same else _EPOCH
    return tuple(text for stamp, text in lines if _time(stamp) > after)


def reason(log: tuple[str, ...]) -> str:
    """Pick the lines in which mig-manager says why it failed, the last three; empty where it does not."""
    complaints = [line for line in log if line and any(mark in line for mark in _COMPLAINTS) and _EXPECTED not in line]
    return " | ".join(list(dict.fromkeys(complaints))[-3:])


def _read(cluster: ObservedCluster, pod: PodView, since: str | None) -> list[tuple[str, str]] | None:
    try:
        lines = cluster.logs(pod, MIG_MANAGER_APP, tail=_TAIL, since=since, timestamps=True)
    except ApiError:
        # Forbidden, or the container has not begun: the log is a help, not a condition.
        return None
    return [(stamp, text) for stamp, _, text in (line.partition(" ") for line in lines) if stamp]


def _time(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)
