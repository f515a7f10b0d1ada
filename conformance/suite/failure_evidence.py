"""Takes the evidence that the report shows for cases that did not pass. Judges nothing, and changes nothing.

Everything is cut to fixed numbers, so that a run in which every case fails still has a report of a few megabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from conformance.cluster.errors import ApiError, ClusterError
from conformance.cluster.observed import ObservedCluster
from conformance.cluster.pod_view import PodView
from conformance.operations.manager_log import manager_pod
from conformance.report.observations import Evidence, LogExcerpt, PodStatus
from conformance.report.timelines import entries
from conformance.spec.names import DEVICE_PLUGIN_APP, FEATURE_DISCOVERY_APP, MIG_MANAGER_APP

_Item = TypeVar("_Item")

MOST_PLACES: Final = 100
"""Nodes in cells of which a report has evidence; of further ones it says only that there is none."""
_CHANGES: Final = 60
_MANAGER_LINES: Final = 40
_LINES: Final = 20
_EVENTS: Final = 20
_LOGS: Final = 6
"""Operands whose logs and events are read, beside mig-manager."""
_WIDTH: Final = 400
"""Characters of a line."""
_ALWAYS: Final = (DEVICE_PLUGIN_APP, FEATURE_DISCOVERY_APP)


def take_evidence(
    cluster: ObservedCluster, node: str, marks: tuple[int, int | None], manager_log: Sequence[str], *, ask: bool
) -> Evidence:
    """Return what a node shows now, and what happened to it.

    Args:
        cluster: The cluster.
        node: Name of the node.
        marks: Timeline marks between which its changes are shown: before the first change on the way to its cell, or
            when a scenario began; and when that ended, None for now.
        manager_log: Lines of mig-manager's log that the suite has read already.
        ask: Whether to read logs and events; without it, nothing is asked of the API server.
    """
    changes = cluster.timeline.between(*marks, node=node)
    pods = cluster.operands(node)
    reading = _Reading(cluster)
    if manager_log:
        pod = manager_pod(cluster, node)
        reading.keep(pod.name if pod else MIG_MANAGER_APP, MIG_MANAGER_APP, manager_log, _MANAGER_LINES)
    if ask:
        reading.read(_interesting(pods, manager=not manager_log))
    return Evidence(
        node=node,
        taken=round(cluster.timeline.now(), 3),
        timeline=entries(_last(changes, _CHANGES)),
        logs=tuple(reading.logs),
        events=tuple(reading.events),
        pods=tuple(map(_status, pods)),
        missing=tuple(dict.fromkeys(reading.missing)),
        cut=reading.cut + max(0, len(changes) - _CHANGES),
    )


@dataclass
class _Reading:
    """Reads logs and events, and notes what could not be read."""

    cluster: ObservedCluster
    logs: list[LogExcerpt] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    cut: int = 0

    def read(self, pods: Iterable[PodView]) -> None:
        """Read the pods one after another; an API server that does not answer is not asked again."""
        for pod in pods:
            try:
                self._read(pod)
            except ClusterError as error:
                self.missing.append(_shortened(str(error)))
                return
            except Exception as error:  # noqa: BLE001 - an odd object must not change the outcome of a case
                self.missing.append(_shortened(f"{pod.name}: {type(error).__name__}: {error}"))

    def keep(self, pod: str, container: str, lines: Sequence[str], most: int) -> None:
        """Keep the last lines of a log."""
        self.cut += max(0, len(lines) - most)
        shown = tuple(map(_shortened, lines[-most:]))
        self.logs.append(LogExcerpt(pod=pod, container=container, lines=shown))

    def _read(self, pod: PodView) -> None:
        container = _container(pod)
        try:
            self.keep(pod.name, container, self.cluster.logs(pod, container, tail=_LINES), _LINES)
        except ApiError as error:
            self.missing.append(_shortened(str(error)))
        try:
            found = self.cluster.events(pod)
        except ApiError as error:
            self.missing.append(_shortened(str(error)))
            return
        room = _EVENTS - len(self.events)
        self.cut += max(0, len(found) - room)
        self.events += [_shortened(f"{pod.name}: {text}") for text in _last(found, room)]


def _interesting(pods: Iterable[PodView], *, manager: bool) -> list[PodView]:
    """The operands whose logs say most: those that are not ready or were restarted come first."""
    always = (MIG_MANAGER_APP, *_ALWAYS) if manager else _ALWAYS
    running = [pod for pod in pods if not pod.ended and (manager or pod.app != MIG_MANAGER_APP)]
    found = [pod for pod in running if not pod.ready or pod.restarts or pod.app in always]
    return sorted(found, key=lambda pod: (pod.app != MIG_MANAGER_APP, pod.ready, not pod.restarts))[:_LOGS]


def _container(pod: PodView) -> str:
    """The container that failed or waits; else the last one, for init containers come first."""
    failed = [name for name in pod.images if pod.exit_codes.get(name) or name in pod.waiting]
    return (failed or list(pod.images) or [""])[0 if failed else -1]


def _status(pod: PodView) -> PodStatus:
    waiting = ", ".join(f"{name}: {why}" for name, why in pod.waiting.items())
    reason = "; ".join(filter(None, (pod.reason, pod.message, waiting)))
    return PodStatus(
        name=pod.name,
        app=pod.app,
        phase="Terminating" if pod.terminating else pod.phase,
        ready=pod.ready,
        restarts=pod.restarts,
        reason=_shortened(reason),
    )


def _last(items: Sequence[_Item], most: int) -> Sequence[_Item]:
    return items[-most:] if most > 0 else items[:0]


def _shortened(line: str) -> str:
    first = line.partition("\n")[0]
    return first if len(first) <= _WIDTH else f"{first[: _WIDTH - 1]}…"
