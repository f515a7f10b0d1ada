"""Whether somebody else deleted pods of a node: reads what `conformance.operations.deletions` needs."""

from __future__ import annotations

from contextlib import suppress

from conformance.cluster.errors import ApiError
from conformance.expect.deletions import History, by_others, doubtful, undecided
from conformance.operations.deletions import Surroundings, deleted_by_controllers, history_of
from conformance.operations.mig_cluster import MigCluster
from conformance.spec.names import DEPLOY_PREFIX


class PodDeletions:
    """The deletions of pods in one run.

    Args:
        cluster: The cluster.
        run: Id of the run.
    """

    def __init__(self, cluster: MigCluster, run: str) -> None:
        self._cluster = cluster
        self._run = run
        self._by_controller: set[str] = set()

    def doubtful(self, node: str, since: float) -> bool:
        """Return whether a pod of a node was deleted of which nobody can say yet that the product did it."""
        if not doubtful(self._history(node), since):
            return False
        self._read_events()
        return bool(doubtful(self._history(node), since))

    def undecided(self, node: str, since: float) -> bool:
        """Return whether one more change of the node may tell who deleted a pod."""
        return undecided(self._history(node), since)

    def by_others(self, node: str, since: float) -> str:
        """Describe the deletions since a time that are not the product's; empty if all are. Call it after the run."""
        if not doubtful(self._history(node), since):
            return ""
        self._read_events()
        return "; ".join(by_others(self._history(node), since))

    def _history(self, node: str) -> History:
        cluster = self._cluster
        about = Surroundings(
            run=self._run,
            operator_namespace=cluster.operator_namespace,
            own=cluster.writes.deleted,
            by_controller=self._by_controller,
            selectors={
                one.name: label
                for one in cluster.daemon_sets()
                for label in one.selector
                if label.startswith(DEPLOY_PREFIX)
            },
        )
        return history_of(node, cluster.timeline.since(node=node), cluster.pods(node=node), about)

    def _read_events(self) -> None:
        """Remember what controllers have said since: Events live for an hour only."""
        with suppress(ApiError):
            self._by_controller.update(deleted_by_controllers(self._cluster.events_about("DaemonSet")))
