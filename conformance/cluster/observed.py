"""What the suite reads from a cluster: views kept up to date by watches, and single requests for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from conformance.cluster import paths
from conformance.cluster.errors import ApiError, DeniedError, InconclusiveError, UnknownNodeError
from conformance.cluster.pod_view import PodView
from conformance.cluster.store import Store
from conformance.cluster.timeline import Timeline
from conformance.cluster.transport import Transport
from conformance.cluster.views import DaemonSetView, NodeView, PolicyView, policy_view, timestamp
from conformance.spec.names import OPERATOR_APP, OPERATOR_NAMESPACE


class ObservedCluster:
    """The read-only part of `Cluster`.

    Attributes:
        timeline: Changes since the suite connected.
        transport: Raw requests, for modules that need objects without a view.
        operator_namespace: Namespace of the operator and its operands.
        namespace: The suite's own namespace, which holds journal, lease and workload pods.
    """

    def __init__(self, transport: Transport, timeline: Timeline, namespace: str) -> None:
        self.transport = transport
        self.timeline = timeline
        self.namespace = namespace
        self.operator_namespace = OPERATOR_NAMESPACE
        self._store = Store(timeline)

    def nodes(self) -> list[NodeView]:
        """Return all nodes, sorted by name."""
        return self._store.all(self._store.nodes)

    def node(self, name: str) -> NodeView:
        """Return one node.

        Raises:
            UnknownNodeError: The node does not exist; the message lists the nodes that do.
        """
        if (view := self.find_node(name)) is None:
            raise UnknownNodeError(name, [node.name for node in self.nodes()])
        return view

    def find_node(self, name: str) -> NodeView | None:
        """Return one node, or None if it does not exist."""
        return self._store.get(self._store.nodes, name)

    def pods(
        self,
        *,
        namespace: str | None = None,
        node: str | None = None,
        app: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[PodView]:
        """Return the pods that match all given filters, terminating pods included, sorted by namespace and name.

        A filter that is None matches every pod. `labels` matches pods that have at least these labels.
        """
        return [
            pod
            for pod in self._store.all(self._store.pods, node)
            if namespace in (None, pod.namespace)
            and app in (None, pod.app)
            and (labels is None or labels.items() <= pod.labels.items())
        ]

    def pod(self, name: str, namespace: str | None = None) -> PodView | None:
        """Return one pod, or None if it does not exist. `namespace` None means the suite's own namespace."""
        return self._store.get(self._store.pods, name, namespace or self.namespace)

    def read_policy(self) -> PolicyView:
        """Read the ClusterPolicy from the API server: the watch may be late after the suite has written it."""
        return policy_view(self.transport.get(paths.policy(self.policy().name)))

    def operands(self, node: str, app: str | None = None) -> list[PodView]:
        """Return the operands' pods on a node: those of the operator's namespace with a label `app`, but its own.

        Node Feature Discovery has no such label, and the operator's own pod may run on any node.

        Args:
            node: Name of the node.
            app: Value of the label; None means any.
        """
        return [pod for pod in self.pods(node=node, app=app) if self._is_operand(pod)]

    def _is_operand(self, pod: PodView) -> bool:
        return pod.namespace == self.operator_namespace and pod.app not in ("", OPERATOR_APP)

    def in_daemon_sets(self, pods: Iterable[PodView]) -> list[PodView]:
        """Return the operands' pods that belong to DaemonSets, out of any pods; see `operands`."""
        return [pod for pod in pods if self._is_operand(pod) and pod.owner.startswith("DaemonSet/")]

    def daemon_sets(self) -> list[DaemonSetView]:
        """Return the DaemonSets in the operator's namespace, sorted by name."""
        return self._store.all(self._store.daemon_sets)

    def daemon_set(self, name: str) -> DaemonSetView | None:
        """Return one DaemonSet of the operator's namespace, or None if it does not exist."""
        return self._store.get(self._store.daemon_sets, name, self.operator_namespace)

    def policies(self) -> list[PolicyView]:
        """Return all ClusterPolicies, sorted by name."""
        return self._store.all(self._store.policies)

    def policy(self) -> PolicyView:
        """Return the active ClusterPolicy: the operator uses the oldest one and ignores the others.

        Raises:
            InconclusiveError: The cluster has no ClusterPolicy.
        """
        policies = self.policies()
        if not policies:
            raise InconclusiveError(
                f"{self.transport.server} has no ClusterPolicy: is the NVIDIA GPU Operator installed there?"
            )
        return min(policies, key=lambda policy: (policy.created, policy.name))

    def config_map(self, name: str, namespace: str | None = None) -> dict[str, str] | None:
        """Read the data of a ConfigMap; None if it does not exist. `namespace` None means the operator's namespace."""
        try:
            raw = self.transport.get(paths.config_map(namespace or self.operator_namespace, name))
        except ApiError as error:
            if error.not_found:
                return None
            raise
        return dict(raw.get("data") or {})

    def config_maps(self, namespace: str | None = None) -> dict[str, dict[str, str]]:
        """Read the data of all ConfigMaps, by name. `namespace` None means the operator's namespace."""
        items = self.transport.list(paths.config_maps(namespace or self.operator_namespace))
        return {item["metadata"]["name"]: dict(item.get("data") or {}) for item in items}

    def events(self, pod: PodView) -> list[str]:
        """Read the events about a pod as `reason: message`, oldest first."""
        query = {"fieldSelector": f"involvedObject.uid={pod.uid}"}
        items = self.transport.get(paths.events(pod.namespace), query)["items"]
        items.sort(key=lambda item: item.get("lastTimestamp") or item.get("eventTime") or "")
        return [f"{item.get('reason', '')}: {item.get('message', '')}" for item in items]

    def events_about(self, kind: str) -> list[str]:
        """Read the messages of the events about all objects of a kind in the operator's namespace.

        Raises:
            ApiError: These credentials may not read Events.
        """
        items = self.transport.list(
            paths.events(self.operator_namespace), {"fieldSelector": f"involvedObject.kind={kind}"}
        )
        return [str(item.get("message", "")) for item in items]

    def warnings(self) -> dict[str, list[tuple[datetime, str]]]:
        """Read the warnings of the Events about pods in the operator's namespace.

        Returns:
            When each was last seen, and `reason: message`, by UID of the pod, oldest first. Empty if these credentials
            may not read Events.
        """
        query = {"fieldSelector": "involvedObject.kind=Pod,type=Warning"}
        try:
            items = self.transport.list(paths.events(self.operator_namespace), query)
        except DeniedError:
            return {}
        found = [(timestamp(time), item) for item in items if (time := _last_time(item))]
        by_pod: dict[str, list[tuple[datetime, str]]] = {}
        for seen, item in sorted(found, key=lambda one: one[0]):
            text = f"{item.get('reason', '')}: {item.get('message', '')}"
            by_pod.setdefault(item["involvedObject"].get("uid", ""), []).append((seen, text))
        return by_pod

    def identity(self) -> str:
        """Read the UID of the namespace kube-system, which no other cluster has; empty if it may not be read."""
        try:
            return str(self.transport.get(paths.namespace("kube-system"))["metadata"]["uid"])
        except ApiError:
            return ""

    def server_version(self) -> str:
        """Read the version of the API server, such as `v1.36.2`."""
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
        """Read the log of a container, as lines.

        Args:
            pod: The pod.
            container: Name of the container; None selects the only one.
            tail: Number of lines from the end; None means all.
            since: Start time in RFC 3339; None means the beginning of the log.
            timestamps: Whether each line starts with its time.
            previous: Whether to read the log of the container's previous instance, before its last restart.

        Raises:
            ApiError: The log does not exist or may not be read.
            InconclusiveError: Somebody deleted the pod, which is one of the suite.
        """
        options = {
            "container": container,
            "tailLines": None if tail is None else str(tail),
            "sinceTime": since,
            "timestamps": "true" if timestamps else None,
            "previous": "true" if previous else None,
        }
        query = {key: value for key, value in options.items() if value is not None}
        try:
            return self.transport.text(paths.log(pod.namespace, pod.name), query).splitlines()
        except ApiError as error:
            if error.not_found and pod.run is not None:
                raise InconclusiveError(f"somebody deleted pod {pod.namespace}/{pod.name} of the suite") from error
            raise


def _last_time(event: Mapping[str, Any]) -> str | None:
    """When an Event was last seen; core/v1 and events.k8s.io each have fields of their own for that."""
    series = event.get("series") or {}
    time: str | None = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return time
