"""A small cluster to test the cluster layer on: embedded API server, a few objects, and a hand that changes them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from conformance.cluster import paths
from conformance.cluster.connecting import connect
from conformance.cluster.errors import ApiError
from conformance.cluster.limits import Limits
from conformance.cluster.transport import PatchKind, Transport
from conformance.sim.apiserver import ApiServer, Settings
from conformance.spec.names import MIG_MANAGER_APP, OPERATOR_NAMESPACE

T = TypeVar("T")

QUICK = Limits(
    connect=2, request=2, unreachable=0.5, watch=5, manager_ready=1, reconfigure=2, operands_ready=1, labels=0.5,
    strategy_seen=1, strategy_roll=2, strategy_roll_per_node=0.1, patience=0.001, lease=1.2,
)  # fmt: skip
"""Real seconds, since the stand has no clock of its own."""


class Loop:
    """An event loop in a thread, in which servers run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=20)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Forwarder:
    """Passes connections on to a server until it is cut: a server that vanishes, without waiting for one to stop."""

    def __init__(self, loop: Loop, stand: Stand, directory: Path) -> None:
        self._loop = loop
        self._target = int(stand.server.url.rpartition(":")[2])
        self._writers: list[asyncio.StreamWriter] = []
        self._server = loop.run(asyncio.start_server(self._pass_on, "127.0.0.1", 0))
        port = self._server.sockets[0].getsockname()[1]
        self.kubeconfig = directory / "forwarded"
        self.kubeconfig.write_text(stand.kubeconfig.read_text().replace(str(self._target), str(port)))

    def cut(self) -> None:
        async def cut() -> None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()

        self._loop.run(cut())

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, far_writer]
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


class Stand:
    """One API server with ClusterPolicy, and `hand`: a client that stands for everybody but the suite."""

    def __init__(self, loop: Loop, directory: Path, settings: Settings | None = None) -> None:
        self._loop = loop
        self.server = ApiServer(directory, settings=settings)
        loop.run(self.server.start())
        self.kubeconfig = self.server.kubeconfig
        self.hand: Transport = connect(self.kubeconfig, None, Limits())
        self.hand.manager = "somebody"
        self._make_policy()

    def stop(self) -> None:
        self.hand.close()
        self._loop.run(self.server.stop())

    def in_loop(self, act: Callable[[], T]) -> T:
        async def run() -> T:
            return act()

        return self._loop.run(run())

    def node(self, name: str, labels: Mapping[str, str] | None = None, **resources: int) -> None:
        """Make a node; `gpu=8` gives it `nvidia.com/gpu: "8"`."""
        counts = {f"nvidia.com/{key.replace('_', '-')}": str(count) for key, count in resources.items()}
        status = {"capacity": counts, "allocatable": counts, "conditions": [{"type": "Ready", "status": "True"}]}
        meta = {"name": name, "labels": dict(labels or {})}
        self.hand.create(paths.nodes(), {"apiVersion": "v1", "kind": "Node", "metadata": meta, "status": status})

    def lose(self, node: str) -> None:
        """Make a node not Ready."""
        self.hand.patch(
            f"{paths.node(node)}/status", {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
        )

    def label(self, node: str, **labels: str | None) -> None:
        """Set labels; `__` stands for a dot: `mig__config="x"`. None removes."""
        values = {f"nvidia.com/{key.replace('__', '.')}": value for key, value in labels.items()}
        self.hand.patch(paths.node(node), {"metadata": {"labels": values}})

    def resources(self, node: str, **counts: int) -> None:
        values = {f"nvidia.com/{key.replace('_', '-')}": str(count) for key, count in counts.items()}
        self.hand.patch(f"{paths.node(node)}/status", {"status": {"capacity": values, "allocatable": values}})

    def pod(self, name: str, *, namespace: str = OPERATOR_NAMESPACE, owner: str = "", **options: Any) -> str:
        """Make a Running, Ready pod and give its uid; `owner` is a DaemonSet, the rest as for `pod_manifest`."""
        manifest = pod_manifest(name, **options)
        if owner:
            reference = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": owner, "controller": True}
            manifest["metadata"]["ownerReferences"] = [reference | {"uid": self._uid_of(owner)}]
        uid = self.hand.create(paths.pods(namespace), manifest)["metadata"]["uid"]
        self.pod_status(name, namespace=namespace)
        return str(uid)

    def pod_status(
        self, name: str, *, namespace: str = OPERATOR_NAMESPACE, ready: bool = True, phase: str = "Running",
        restarts: int = 0, waiting: str = "",
    ) -> None:  # fmt: skip
        state: dict[str, Any] = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
        container = {
            "name": "main", "restartCount": restarts, "ready": ready, "image": "i", "imageID": "i", "state": state,
        }  # fmt: skip
        status = {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [container],
        }
        self.hand.patch(f"{paths.pod(namespace, name)}/status", {"status": status})

    def remove_pod(self, name: str, namespace: str = OPERATOR_NAMESPACE) -> None:
        self.hand.delete(paths.pod(namespace, name), grace=0)

    def strategy(self, strategy: str) -> None:
        self.hand.patch(paths.policy("cluster-policy"), {"spec": {"mig": {"strategy": strategy}}})

    def daemon_set(self, name: str, strategy: str) -> None:
        body = {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": name},
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [_container(strategy)]}},
            },
        }
        self.hand.create(paths.daemon_sets(OPERATOR_NAMESPACE), body)

    def template(self, name: str, strategy: str) -> None:
        """Give a DaemonSet a new template, as the operator does."""
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0", "value": _container(strategy)}]
        self.hand.patch(f"{paths.daemon_sets(OPERATOR_NAMESPACE)}/{name}", patch, PatchKind.JSON)

    def roll(self, name: str, *, desired: int, updated: int | None = None, available: int | None = None) -> None:
        """Set the status that the DaemonSet controller would, for the present generation."""
        path = f"{paths.daemon_sets(OPERATOR_NAMESPACE)}/{name}"
        generation = self.hand.get(path)["metadata"]["generation"]
        count = desired if available is None else available
        status = {
            "observedGeneration": generation, "desiredNumberScheduled": desired, "currentNumberScheduled": desired,
            "updatedNumberScheduled": desired if updated is None else updated, "numberReady": count,
            "numberAvailable": count, "numberMisscheduled": 0,
        }  # fmt: skip
        self.hand.patch(f"{path}/status", {"status": status})

    def _uid_of(self, daemon_set: str) -> str:
        """A pod whose owner does not exist would be collected as garbage."""
        path = f"{paths.daemon_sets(OPERATOR_NAMESPACE)}/{daemon_set}"
        try:
            return str(self.hand.get(path)["metadata"]["uid"])
        except ApiError:
            self.daemon_set(daemon_set, "single")
            return str(self.hand.get(path)["metadata"]["uid"])

    def _make_policy(self) -> None:
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {
            "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": schema},
        }  # fmt: skip
        names = {"kind": "ClusterPolicy", "listKind": "ClusterPolicyList", "plural": "clusterpolicies"}
        definition = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "clusterpolicies.nvidia.com"},
            "spec": {
                "group": "nvidia.com",
                "scope": "Cluster",
                "names": names | {"singular": "clusterpolicy"},
                "versions": [version],
            },
        }
        self.hand.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR_NAMESPACE}}
        self.hand.create(paths.namespaces(), namespace)
        policy = {
            "apiVersion": "nvidia.com/v1",
            "kind": "ClusterPolicy",
            "metadata": {"name": "cluster-policy"},
            "spec": {"mig": {"strategy": "single"}, "migManager": {"enabled": True}},
        }
        self.hand.create(paths.policies(), policy)
        status = {"state": "ready", "namespace": OPERATOR_NAMESPACE}
        self.hand.patch(f"{paths.policy('cluster-policy')}/status", {"status": status})


def pod_manifest(
    name: str, *, node: str = "", app: str = "", labels: Mapping[str, str] | None = None,
    limits: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A pod with one container `main`."""
    container: dict[str, Any] = {"name": "main", "image": "registry/image:v1"}
    if limits:
        container["resources"] = {"limits": dict(limits)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": ({"app": app} if app else {}) | dict(labels or {})},
        "spec": {"containers": [container], **({"nodeName": node} if node else {})},
    }


def with_manager(stand: Stand, node: str) -> None:
    """Give a node a mig-manager that is Ready."""
    stand.pod(f"mig-manager-{node}", node=node, app=MIG_MANAGER_APP, owner=MIG_MANAGER_APP)


def _container(strategy: str) -> dict[str, Any]:
    return {"name": "main", "image": "registry/image:v1", "env": [{"name": "MIG_STRATEGY", "value": strategy}]}
