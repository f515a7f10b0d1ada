"""Reads a snapshot of a cluster: each collection once, at the same time, however many nodes there are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from conformance.cluster import paths
from conformance.cluster.client import SUITE_NAMESPACE
from conformance.cluster.errors import ApiError, ClusterError, DeniedError
from conformance.cluster.pod_view import RUN_LABEL, pod_view
from conformance.cluster.transport import Transport
from conformance.cluster.views import Raw, daemon_set_view, node_view, policy_view, timestamp
from conformance.expect.versions import Declared
from conformance.operations.journal import is_entry
from conformance.operations.namespace import namespace_is_there
from conformance.operations.rights import RIGHTS, Level, MissingRight, Place, missing_rights
from conformance.preflight.snapshot import Budget, Refusal, SeenNode, SeenPod, SeenPolicy, Snapshot
from conformance.spec.names import OPERATOR_NAMESPACE

T = TypeVar("T")

_AT_ONCE: Final = 8
_POD_SECURITY: Final = "violates PodSecurity"
_TERMINATING: Final = "because it is being terminated"
"""The namespace of a run that has just ended; the next one waits for its end and makes it anew."""
_NO_RIGHT: Final = "cannot create resource"
"""RBAC says so; the access reviews have found it too."""


@dataclass(frozen=True)
class Wanted:
    """What the user wants to know.

    Attributes:
        nodes: Names of the nodes to look at; empty for all.
        levels: What a run is to be allowed, for the rights that it needs.
        pods: Pods of the suite by title, to ask whether the server would create them; empty for none.
        declared: Images that the user's file declares, by component.
    """

    nodes: Sequence[str] = ()
    levels: Collection[Level] = ()
    pods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    declared: Mapping[str, Declared] = field(default_factory=dict)


def read_snapshot(transport: Transport, wanted: Wanted | None = None) -> Snapshot:
    """Read a cluster with get, list, access reviews and dry runs; nothing is changed.

    What the credentials may not read is named in `Snapshot.unread`, except for nodes and pods, without which nothing
    can be said.

    Raises:
        ClusterError: A named node does not exist, or nodes or pods cannot be read.
        UnreachableError: The API server does not answer.
    """
    wanted = wanted or Wanted()
    reader = _Reader(transport)
    policies = sorted(map(_policy, reader.list(paths.policies())), key=lambda policy: policy.view.created)
    namespace = (policies[0].view.namespace if policies else None) or OPERATOR_NAMESPACE
    places = {
        Place.CLUSTER: "",
        Place.OPERATOR: namespace,
        Place.OWN: SUITE_NAMESPACE,
    }
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="preflight") as pool:

        def later(read: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
            return pool.submit(read, *arguments).result

        nodes = later(transport.list, paths.nodes())
        pods = later(transport.list, paths.all_pods())
        daemon_sets = later(reader.list, paths.daemon_sets(namespace))
        config_maps = later(reader.list, paths.config_maps(namespace))
        gpu_clusters = later(reader.list, paths.gpu_clusters())
        budgets = later(reader.list, paths.disruption_budgets())
        journals = later(reader.list, paths.config_maps(SUITE_NAMESPACE))
        missing = later(_missing, transport, wanted.levels, places)
        refusals = later(_refusals, transport, wanted.pods)
        return Snapshot(
            policies=tuple(policies),
            gpu_clusters=tuple(item["metadata"]["name"] for item in gpu_clusters()),
            namespace=namespace,
            nodes=_chosen([SeenNode(node_view(raw), raw) for raw in nodes()], wanted.nodes),
            pods=tuple(SeenPod(pod_view(raw), failed_at(raw)) for raw in pods()),
            daemon_sets={view.name: view for view in map(daemon_set_view, daemon_sets())},
            config_maps={item["metadata"]["name"]: item.get("data") or {} for item in config_maps()},
            declared=wanted.declared,
            budgets=tuple(map(_budget, budgets())),
            journals=tuple(sorted({_run_of(item) for item in journals() if is_entry(item)})),
            missing=missing(),
            refusals=refusals(),
            unread=tuple(sorted(reader.unread)),
            taken=transport.time(),
        )


class _Reader:
    """Reads what a run can do without; what is not there is empty, and what may not be read is noted."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.unread: list[str] = []

    def list(self, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Read a collection."""
        return self._try(path, lambda: self._transport.list(path, query)) or []

    def _try(self, path: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except DeniedError:
            self.unread.append(path)
        except ApiError as error:
            if not error.not_found:
                raise
        return None


def _chosen(nodes: Sequence[SeenNode], names: Sequence[str]) -> tuple[SeenNode, ...]:
    by_name = {node.name: node for node in nodes}
    if unknown := [name for name in names if name not in by_name]:
        raise ClusterError(f"unknown node {', '.join(unknown)}; there are: {', '.join(sorted(by_name)) or 'none'}")
    return tuple(by_name[name] for name in sorted(names or by_name))


def _policy(raw: Raw) -> SeenPolicy:
    return SeenPolicy(policy_view(raw), raw)


def _budget(raw: Raw) -> Budget:
    meta, allowed = raw["metadata"], (raw.get("status") or {}).get("disruptionsAllowed", 0)
    return Budget(meta["namespace"], meta["name"], (raw.get("spec") or {}).get("selector") or {}, allowed)


def _run_of(journal: Raw) -> str:
    return str((journal["metadata"].get("labels") or {}).get(RUN_LABEL, "unknown"))


def failed_at(raw: Raw) -> datetime | None:
    """Return when a container of a pod last ended with an error; None if none did."""
    status = raw.get("status") or {}
    states = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    ends = [(state.get("lastState") or {}).get("terminated") or {} for state in states]
    return max(
        (timestamp(end["finishedAt"]) for end in ends if end.get("exitCode") and end.get("finishedAt")), default=None
    )


def _missing(transport: Transport, levels: Collection[Level], places: Mapping[Place, str]) -> tuple[MissingRight, ...]:
    if not levels:
        return ()
    makes = not namespace_is_there(transport)
    needed = [one for one in RIGHTS if one.level in levels and (makes or not one.makes_namespace)]
    return missing_rights(transport, needed, places)


def _refusals(transport: Transport, pods: Mapping[str, Mapping[str, Any]]) -> tuple[Refusal, ...]:
    """Ask whether the server would create the pods of the suite.

    As long as the suite's namespace does not exist, they are tried in `default`: admission webhooks judge them there
    too. Pod Security does not count then, since the new namespace will not have the labels of `default`.
    """
    if not pods:
        return ()
    found, namespace = [], SUITE_NAMESPACE
    if not namespace_is_there(transport):
        namespace = "default"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SUITE_NAMESPACE}}
        found += _tried(transport, f"namespace {SUITE_NAMESPACE}", paths.namespaces(), body)
    for title, pod in pods.items():
        tried = _tried(transport, f"pod {title}", paths.pods(namespace), pod)
        found += [one for one in tried if namespace == SUITE_NAMESPACE or _POD_SECURITY not in one.message]
    return tuple(found)


def _tried(transport: Transport, title: str, path: str, body: Mapping[str, Any]) -> list[Refusal]:
    try:
        transport.try_out(path, body)
    except ApiError as error:
        known = error.conflict or any(part in error.message for part in (_NO_RIGHT, _TERMINATING))
        return [] if known else [Refusal(title, error.message)]
    return []
