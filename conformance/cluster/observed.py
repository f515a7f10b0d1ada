"""What the suite reads of a cluster: views kept up to date by watches, and single requests for the rest."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.cluster import paths
from conformance.cluster.errors import ApiError, ClusterError
from conformance.cluster.pod_view import PodView
from conformance.cluster.store import Store
from conformance.cluster.timeline import Timeline
from conformance.cluster.transport import Transport
from conformance.cluster.views import DaemonSetView, NodeView, PolicyView
from conformance.spec.names import OPERATOR_NAMESPACE


class ObservedCluster:
    """The reading half of `Cluster`: nothing here changes anything.

    Attributes:
        timeline: What happened since the connection.
        transport: Raw requests, for the modules of this room.
        operator_namespace: Where the operands run.
        namespace: The suite's own namespace: journal, lease and workload pods live there.
    """

    def __init__(self, transport: Transport, timeline: Timeline, namespace: str) -> None:
        self.transport = transport
        self.timeline = timeline
        self.namespace = namespace
        self.operator_namespace = OPERATOR_NAMESPACE
        self._store = Store(timeline)

    def nodes(self) -> list[NodeView]:
        """All nodes, by name."""
        return self._store.all(self._store.nodes)

    def node(self, name: str) -> NodeView:
        """One node.

        Raises:
            ClusterError: There is none of that name; the message lists those that exist.
        """
        if (view := self._store.get(self._store.nodes, name)) is None:
            names = ", ".join(node.name for node in self.nodes()) or "none at all"
            raise ClusterError(f"no node {name}; there are: {names}")
        return view

    def pods(
        self,
        *,
        namespace: str | None = None,
        node: str | None = None,
        app: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[PodView]:
        """Pods that match everything given (None: anything), by namespace and name; terminating ones included."""
        return [
            pod
            for pod in self._store.all(self._store.pods, node)
            if namespace in (None, pod.namespace)
            and app in (None, pod.app)
            and (labels is None or labels.items() <= pod.labels.items())
        ]

    def pod(self, name: str, namespace: str | None = None) -> PodView | None:
        """One pod, in the suite's own namespace unless another is given; None where there is none."""
        return self._store.get(self._store.pods, name, namespace or self.namespace)

    def operands(self, node: str, app: str | None = None) -> list[PodView]:
        """Pods of the operator's namespace on a node, of one `app` label or (None) all."""
        return self.pods(namespace=self.operator_namespace, node=node, app=app)

    def daemon_sets(self) -> list[DaemonSetView]:
        """DaemonSets of the operator's namespace, by name."""
        return self._store.all(self._store.daemon_sets)

    def daemon_set(self, name: str) -> DaemonSetView | None:
        """One DaemonSet of the operator's namespace; None where there is none."""
        return self._store.get(self._store.daemon_sets, name, self.operator_namespace)

    def policy(self) -> PolicyView:
        """Return the ClusterPolicy that rules: the oldest.

        Raises:
            ClusterError: There is none.
        """
        policies = self._store.all(self._store.policies)
        if not policies:
            raise ClusterError(
                f"{self.transport.server} has no ClusterPolicy: is the NVIDIA GPU Operator installed there?"
            )
        return min(policies, key=lambda policy: (policy.created, policy.name))

    def config_map(self, name: str, namespace: str | None = None) -> dict[str, str] | None:
        """Read a ConfigMap's data, of the operator's namespace unless another is given; None where there is none."""
        try:
            raw = self.transport.get(paths.config_map(namespace or self.operator_namespace, name))
        except ApiError as error:
            if error.not_found:
                return None
            raise
        return dict(raw.get("data") or {})

    def config_maps(self, namespace: str | None = None) -> dict[str, dict[str, str]]:
        """Read the data of all ConfigMaps by name, of the operator's namespace unless another is given."""
        items = self.transport.list(paths.config_maps(namespace or self.operator_namespace))
        return {item["metadata"]["name"]: dict(item.get("data") or {}) for item in items}

    def events(self, pod: PodView) -> list[str]:
        """`reason: message` of the events about a pod, oldest first."""
        query = {"fieldSelector": f"involvedObject.uid={pod.uid}"}
        items = self.transport.get(paths.events(pod.namespace), query)["items"]
        items.sort(key=lambda item: item.get("lastTimestamp") or item.get("eventTime") or "")
        return [f"{item.get('reason', '')}: {item.get('message', '')}" for item in items]

    def server_version(self) -> str:
        """Version of the API server, `v1.36.2`."""
        return str(self.transport.probe()["gitVersion"])

    def logs(
        self,
        pod: PodView,
        container: str | None = None,
        *,
        tail: int | None = None,
        since: str | None = None,
        timestamps: bool = False,
        previous: bool = False,
    ) -> list[str]:
        """Lines of a container's log (None: the only container).

        Args:
            pod: The pod.
            container: Name of the container; None where there is one.
            tail: Only so many lines from the end; None: all.
            since: RFC 3339 time from which on; None: from the start.
            timestamps: Each line begins with its time.
            previous: The run before the last restart.
        """
        options = {
            "container": container,
            "tailLines": None if tail is None else str(tail),
            "sinceTime": since,
            "timestamps": "true" if timestamps else None,
            "previous": "true" if previous else None,
        }
        query = {key: value for key, value in options.items() if value is not None}
        return self.transport.text(paths.log(pod.namespace, pod.name), query).splitlines()
