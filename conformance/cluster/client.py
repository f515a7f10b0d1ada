"""`Cluster`: the object through which the suite reads a cluster, waits for changes and works with pods."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from conformance.cluster import paths
from conformance.cluster.changes import PodChange, PodEvent
from conformance.cluster.clock import ClusterClock, RealClock
from conformance.cluster.connecting import connect
from conformance.cluster.errors import ApiError, ClusterError, WaitTimeout
from conformance.cluster.execute import Execution, execute
from conformance.cluster.limits import Limits
from conformance.cluster.observed import ObservedCluster
from conformance.cluster.pod_view import PodView, pod_view
from conformance.cluster.store import Table
from conformance.cluster.timeline import Timeline
from conformance.cluster.transport import PatchKind, Transport
from conformance.cluster.waiting import Deadline, Progress, Waiter
from conformance.cluster.watcher import Watcher
from conformance.cluster.writes import OwnWrites
from conformance.spec.names import OPERATOR_NAMESPACE

T = TypeVar("T")

SUITE_NAMESPACE: Final = "mig-conformance"
"""The suite's own namespace."""
_LAST_OF_WATCHES: Final = 2.0
"""Real seconds."""


class Cluster(ObservedCluster):
    """A cluster under test, kept up to date by watches. Create it with `Cluster.connect`; call `close` when done.

    Attributes:
        clock: The cluster's clock; limits and timeline use its seconds.
        limits: Time limits.
        writes: Records which changes this object made through `patch`, to tell them from changes by others.
    """

    def __init__(self, transport: Transport, clock: ClusterClock, namespace: str) -> None:
        super().__init__(transport, Timeline(clock.now), namespace)
        self.clock = clock
        self.limits = transport.limits
        self.writes = OwnWrites()
        self._waiter = Waiter(self._store, clock, self.limits.patience)
        self._watchers: list[Watcher[Any]] = []

    @classmethod
    def connect(
        cls,
        kubeconfig: Path,
        *,
        context: str | None = None,
        clock: ClusterClock | None = None,
        limits: Limits | None = None,
        namespace: str = SUITE_NAMESPACE,
        without_operator: bool = False,
    ) -> Self:
        """Connect, list the watched objects once, and keep watching them.

        Args:
            kubeconfig: Path of the kubeconfig; the file is never written.
            context: Context to use; None means the current context of the file.
            clock: The cluster's clock; None means real time.
            limits: Time limits; None means the defaults.
            namespace: The suite's own namespace; not created here.
            without_operator: Whether to connect also if there is no ClusterPolicy.

        Raises:
            UnreachableError: The API server did not answer within `limits.connect` real seconds.
            ClusterError: The kubeconfig or context is unusable, a permission is missing, or there is no
                ClusterPolicy.
        """
        transport = connect(kubeconfig, context, limits or Limits())
        cluster = cls(transport, clock or RealClock(), namespace)
        try:
            cluster._start(without_operator=without_operator)
        except BaseException:
            cluster.close()
            raise
        return cluster

    def close(self) -> None:
        """Stop watching and close connections. The cluster is not changed.

        Watches that wait for a server are not waited for longer than `_LAST_OF_WATCHES`.
        """
        for watcher in self._watchers:
            watcher.stop()
        until = time.monotonic() + _LAST_OF_WATCHES
        for watcher in self._watchers:
            watcher.join(until - time.monotonic())
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # Waiting -------------------------------------------------------------------------------------------------------

    @property
    def progress(self) -> Progress:
        """Callback that reports what a wait is waiting for; by default it does nothing."""
        return self._waiter.progress

    @progress.setter
    def progress(self, progress: Progress) -> None:
        self._waiter.progress = progress

    @property
    def before_check(self) -> Callable[[str | None], None]:
        """Callback that runs before each evaluation of every wait's condition, with its node; it raises to abort it."""
        return self._waiter.before_check

    @before_check.setter
    def before_check(self, check: Callable[[str | None], None]) -> None:
        self._waiter.before_check = check

    def stop_waiting(self, reason: ClusterError | None) -> None:
        """End every wait in every thread by raising `reason`. None allows waits again, unless `give_up` was called."""
        self._waiter.stop(reason)

    def give_up(self, reason: ClusterError) -> None:
        """End every wait by raising `reason`, now and later, also those for an API server that does not answer."""
        self._waiter.give_up(reason)
        self.transport.patience.end()

    def wait(
        self,
        condition: Callable[[], T | None],
        what: str,
        limit: float,
        *,
        node: str | None = None,
        hold: float = 0.0,
        last_seen: Callable[[], str] | None = None,
        look_at: str = "",
    ) -> T:
        """Wait until `condition` returns a true value, and return that value.

        `condition` is evaluated at once, after every change of the cluster (of `node`, if given), and at short
        intervals in between.

        Args:
            condition: Reads the views; must be cheap and free of side effects.
            what: What is waited for, worded for messages: "mig-manager's answer".
            limit: Longest wait, in seconds of the cluster's clock.
            node: Name of the node concerned; None if it is not exactly one.
            hold: How long the value must stay true before it counts, in seconds of the cluster's clock; 0 means it
                counts immediately.
            last_seen: Describes the current state for the timeout message; None for no description.
            look_at: Where to look next after a timeout, such as a kubectl command; empty for no hint.

        Raises:
            WaitTimeout: The condition was not met in time. A clock that stands still does not prevent this: after
                `limit` real seconds the wait ends too. It never ends before `limits.patience` real seconds, unless
                `limit` is shorter.
            UnreachableError: The API server has not answered for `limits.unreachable` real seconds.
            InconclusiveError: Somebody else changed what this run is testing (raised by `before_check`).
        """
        return self._waiter.wait(condition, what, limit, node=node, hold=hold, last_seen=last_seen, look_at=look_at)

    def give_time(self, condition: Callable[[], object], what: str, limit: float, *, node: str | None = None) -> None:
        """Wait until `condition` returns a true value or the limit has passed; the arguments are those of `wait`.

        For states of the product: one that does not come in time is for the caller to judge, and no error.

        Raises:
            UnreachableError, InconclusiveError: As for `wait`.
        """
        with suppress(WaitTimeout):
            self.wait(condition, what, limit, node=node)

    def observe(
        self, condition: Callable[[], T | None], seconds: float, what: str, node: str | None = None
    ) -> T | None:
        """Check for `seconds` of the cluster's clock that `condition` stays false.

        Returns:
            None if `condition` stayed false for the whole time; otherwise its first true value, immediately.
        """
        return self._waiter.observe(condition, seconds, what, node)

    def deadline(self, limit: float) -> Deadline:
        """Return a deadline in `limit` seconds of the cluster's clock; time without an API server does not count."""
        return self._waiter.deadline(limit)

    def catch_up(self, node: str) -> None:
        """Wait until the views of a node and of the ClusterPolicy are as new as the API server's answer now.

        Raises:
            WaitTimeout: The watches did not deliver that within `limits.request` real seconds.
            UnreachableError: The API server does not answer.
        """
        limit = self.limits.request * max(self.clock.scale, 1.0)
        policy = self.policy().name
        watched: list[tuple[Table[Any], str, str, str | None]] = [
            (self._store.nodes, paths.node(node), node, node),
            (self._store.policies, paths.policy(policy), policy, None),
        ]
        for table, path, name, changed_node in watched:
            reached = partial(self._store.reached, table, name, self._version(path))
            self.wait(reached, f"the watch of {table.title} to catch up", limit, node=changed_node)

    def _version(self, path: str) -> str | None:
        """Return the resourceVersion of an object or a collection; None if it does not exist."""
        try:
            return str(self.transport.get(path)["metadata"]["resourceVersion"])
        except ApiError as error:
            if error.not_found:
                return None
            raise

    # Changing ------------------------------------------------------------------------------------------------------

    def patch(
        self, path: str, patch: Mapping[str, Any] | Sequence[Mapping[str, Any]], kind: PatchKind = PatchKind.MERGE
    ) -> None:
        """Patch a watched object and record the change as one of this client's own writes.

        Raises:
            ApiError: The server rejected the patch.
        """
        with self.writes.writing() as versions:
            answer = self.transport.patch(path, patch, kind)
            versions.add(answer["metadata"]["resourceVersion"])

    def create_pod(self, manifest: Mapping[str, Any]) -> PodView:
        """Create a pod and return its view once the watch has delivered it.

        The pod goes to the namespace in its manifest, or to the suite's own namespace if it has none. Quantities in
        the manifest must be strings.

        Raises:
            ApiError: The server rejected the pod.
            WaitTimeout: The watch did not deliver the pod within `limits.request` real seconds.
        """
        namespace = manifest["metadata"].get("namespace", self.namespace)
        mark = self.timeline.mark()
        made = pod_view(self.transport.create(paths.pods(namespace), manifest))

        def shown() -> PodView | None:
            view = self.pod(made.name, namespace)
            if view is not None and view.uid == made.uid:
                return view
            ends = (step.uid for step in self.timeline.of(PodChange, mark) if step.event is PodEvent.GONE)
            return made if made.uid in ends else None  # somebody deleted it: whoever waits for it is told

        # Real seconds: it is the suite's own watch that is awaited, not the cluster.
        limit = self.limits.request * max(self.clock.scale, 1.0)
        return self.wait(shown, f"pod {namespace}/{made.name} to appear", limit, node=made.assigned_node or None)

    def delete_pod(self, pod: PodView) -> None:
        """Delete a pod with the grace period in its spec, without waiting for its end.

        Succeeds if the pod no longer exists.
        """
        self._delete(pod, None)

    def kill_pod(self, pod: PodView) -> None:
        """Delete a pod with the shortest grace period, without waiting for its end.

        Succeeds if the pod no longer exists. The object stays until the kubelet has ended the containers, so that a pod
        that is gone holds no GPU. A grace period of 0 would remove the object at once and leave its processes for a
        while. Only where no kubelet answers, on a node that is not Ready, is the object removed like that.
        """
        current = self.pod(pod.name, pod.namespace) or pod  # the one that is given may be older than its binding
        lost = [node.name for node in self.nodes() if not node.ready]
        self._delete(current, 0 if current.node in lost else 1)

    def _delete(self, pod: PodView, grace: int | None) -> None:
        """Delete a pod, and record that this client did; not if somebody was first: that may explain a failure."""
        now = self.pod(pod.name, pod.namespace)
        if first := now is not None and now.uid == pod.uid and not now.terminating:
            self.writes.delete(pod.uid)
        existed = self.transport.delete(paths.pod(pod.namespace, pod.name), grace=grace)
        if first and not existed:
            self.writes.not_deleted(pod.uid)

    def execute(self, pod: PodView, command: Sequence[str], container: str | None = None) -> Execution:
        """Run a command in a container and return its output and exit code. None selects the only container.

        Raises:
            ClusterError: The command could not be started or did not finish within `limits.request` real seconds.
        """
        return execute(self.transport, pod, command, container)

    # Inside --------------------------------------------------------------------------------------------------------

    def _start(self, *, without_operator: bool) -> None:
        if not without_operator or self._version(paths.policies()) is not None:
            self._watch(self._store.policies, paths.policies(), "is the NVIDIA GPU Operator installed there?")
        if not without_operator or self.policies():
            self.operator_namespace = self.policy().namespace or OPERATOR_NAMESPACE
        self._watch(self._store.nodes, paths.nodes())
        self._watch(self._store.pods, paths.all_pods())
        self._watch(self._store.daemon_sets, paths.daemon_sets(self.operator_namespace))

    def _watch(self, table: Table[Any], path: str, hint: str = "does the role allow list and watch?") -> None:
        watcher: Watcher[Any] = Watcher(self.transport, self._store, table, path)
        self._watchers.append(watcher)
        try:
            watcher.start()
        except ApiError as error:
            raise ClusterError(f"cannot read {table.title} of {self.transport.server}: {error}; {hint}") from error
