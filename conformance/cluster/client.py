"""`Cluster`: the one object through which the suite sees a cluster, waits on it and works with its pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from conformance.cluster import paths
from conformance.cluster.clock import ClusterClock, RealClock
from conformance.cluster.errors import ApiError, ClusterError
from conformance.cluster.execute import Execution, execute
from conformance.cluster.limits import Limits
from conformance.cluster.observed import ObservedCluster
from conformance.cluster.pod_view import PodView
from conformance.cluster.store import Table
from conformance.cluster.timeline import Timeline
from conformance.cluster.transport import PatchKind, Transport, connect
from conformance.cluster.waiting import Progress, Waiter
from conformance.cluster.watcher import Watcher
from conformance.cluster.writes import OwnWrites
from conformance.spec.names import OPERATOR_NAMESPACE

T = TypeVar("T")


class Cluster(ObservedCluster):
    """A cluster under test, kept up to date by watches. Use `Cluster.connect`, and `close` when done.

    Attributes:
        clock: The cluster's clock; limits and timeline are in its seconds.
        limits: The table of limits.
        writes: Tells the changes that this object made through `patch` from those of others.
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
        namespace: str = "mig-conformance",
    ) -> Self:
        """Connect, read everything once and keep watching.

        Args:
            kubeconfig: The file; it is only read.
            context: Context in it; None means its current one.
            clock: The cluster's clock; None means real time.
            limits: Time limits; None means the defaults.
            namespace: The suite's own namespace; not created here.

        Raises:
            UnreachableError: No answer within `limits.connect` real seconds.
            ClusterError: Bad kubeconfig or context, no permission, or no ClusterPolicy.
        """
        transport = connect(kubeconfig, context, limits or Limits())
        cluster = cls(transport, clock or RealClock(), namespace)
        try:
            cluster._start()
        except BaseException:
            cluster.close()
            raise
        return cluster

    def close(self) -> None:
        """Stop watching; changes nothing on the cluster."""
        for watcher in self._watchers:
            watcher.stop()
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # Waiting -------------------------------------------------------------------------------------------------------

    @property
    def progress(self) -> Progress:
        """Told what is being waited for; silent unless set."""
        return self._waiter.progress

    @progress.setter
    def progress(self, progress: Progress) -> None:
        self._waiter.progress = progress

    @property
    def before_look(self) -> Callable[[], None]:
        """Called before every look of every wait; raises when the run must not go on."""
        return self._waiter.before_look

    @before_look.setter
    def before_look(self, check: Callable[[], None]) -> None:
        self._waiter.before_look = check

    def stop_waiting(self, reason: ClusterError | None) -> None:
        """End every wait, in every thread, with an error; None lets waits go on again."""
        self._waiter.stop(reason)

    def wait(
        self,
        look: Callable[[], T | None],
        what: str,
        limit: float,
        *,
        node: str | None = None,
        hold: float = 0.0,
        last_seen: Callable[[], str] | None = None,
        look_at: str = "",
    ) -> T:
        """Return the first true value of `look`, which is called after every change of the cluster.

        Args:
            look: Reads the views; cheap, without side effects.
            what: What is waited for, as it should stand in a message: "mig-manager's answer".
            limit: Seconds of the cluster's clock.
            node: The node concerned; None for none or several.
            hold: How long the value must stay true before it counts, seconds of the cluster's clock; 0: at once.
            last_seen: Describes the state of things when the limit is over.
            look_at: What a person should look at then.

        Raises:
            WaitTimeout: It did not come in time; also after `limit` real seconds where the clock stands still, and not
                before `limits.patience` real seconds.
            UnreachableError: The API server is gone for longer than `limits.unreachable`.
            ForeignChangeError: Somebody else changed what this run is testing.
        """
        return self._waiter.wait(look, what, limit, node=node, hold=hold, last_seen=last_seen, look_at=look_at)

    def observe(self, look: Callable[[], T | None], seconds: float, what: str, node: str | None = None) -> T | None:
        """Watch for so many seconds of the cluster's clock that nothing happens.

        Returns:
            None when `look` stayed false all the time, otherwise its first true value, at once.
        """
        return self._waiter.observe(look, seconds, what, node)

    # Changing ------------------------------------------------------------------------------------------------------

    def patch(
        self, path: str, patch: Mapping[str, Any] | Sequence[Mapping[str, Any]], kind: PatchKind = PatchKind.MERGE
    ) -> None:
        """Patch an object that is watched, and remember the change as this client's own.

        Raises:
            ApiError: The server refused.
        """
        with self.writes.writing() as versions:
            answer = self.transport.patch(path, patch, kind)
            versions.add(answer["metadata"]["resourceVersion"])

    def create_pod(self, manifest: Mapping[str, Any]) -> PodView:
        """Create a pod (namespace: its own, else the suite's) and return it once the watch has shown it.

        Every quantity in it must be a string.

        Raises:
            ApiError: The server refused it.
        """
        namespace = manifest["metadata"].get("namespace", self.namespace)
        meta = self.transport.create(paths.pods(namespace), manifest)["metadata"]
        name, uid = meta["name"], meta["uid"]

        def shown() -> PodView | None:
            view = self.pod(name, namespace)
            return view if view is not None and view.uid == uid else None

        return self.wait(shown, f"pod {namespace}/{name} to appear", self.limits.request)

    def delete_pod(self, pod: PodView, *, grace: int | None = None) -> None:
        """Ask for the end of a pod; one that is gone is fine. `grace` in seconds, None: the pod's own (30)."""
        self.transport.delete(paths.pod(pod.namespace, pod.name), grace=grace)

    def execute(self, pod: PodView, command: Sequence[str], container: str | None = None) -> Execution:
        """Run a command in a container (None: the only one) and return its output and exit code.

        Raises:
            ClusterError: The command could not be started, or did not end within `limits.request` real seconds.
        """
        return execute(self.transport, pod, command, container)

    # Inside --------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._watch(self._store.policies, paths.policies(), "is the NVIDIA GPU Operator installed there?")
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
