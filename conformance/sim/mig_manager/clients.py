"""The pods that use the GPUs of a node: waiting for them to terminate, and deleting validators.

Source: NVIDIA/mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go; before v0.13.0, reconfigure-mig.sh.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import aiohttp

from conformance.sim.clock import Clock
from conformance.sim.kube import PODS, Kube, KubeError, Object, node_of
from conformance.sim.mig_manager.process import StuckError
from conformance.spec import names

WAIT_SECONDS: Final = 300.0
"""Cluster seconds before each wait gives up."""
POLL_SECONDS: Final = 1.0
"""Cluster seconds before each check for the pods of an operand, including the first."""
CLIENT_POLL_SECONDS: Final = 5.0
"""Cluster seconds between checks for third-party clients; the first check is immediate."""
SCRIPT_POLL_SECONDS: Final = 0.1
"""Cluster seconds between checks in place of the watch that `kubectl wait` opens."""
_TIMED_OUT: Final = "client rate limiter Wait returned an error: rate: Wait(n=1) would exceed context deadline"


class GpuClients:
    """The GPU client pods on one node.

    Args:
        kube: API client.
        clock: The cluster's clock.
        node: Name of the node.
        namespace: Namespace of the operands.
        patience: Cluster seconds before each wait gives up.
    """

    def __init__(self, kube: Kube, clock: Clock, node: str, namespace: str, patience: float = WAIT_SECONDS) -> None:
        self._patience = patience
        self._kube = kube
        self._clock = clock
        self._node = node
        self._namespace = namespace
        self._pods = kube.informer(PODS)

    async def wait_for_operand(self, app: str) -> None:
        """Wait until no pod with this `app` label is left, in any phase.

        Raises:
            StuckError: A pod still exists after five minutes.
        """
        await self._poll(lambda: not self._of_app(app), POLL_SECONDS, first_after=POLL_SECONDS)

    async def wait_until_stopping(self, app: str) -> None:
        """Wait until every pod with this `app` label is terminating (the fault `mig-manager-waits-too-little`).

        Raises:
            StuckError: A pod still runs after five minutes.
        """

        def stopping() -> bool:
            return all("deletionTimestamp" in pod["metadata"] for pod in self._of_app(app))

        await self._poll(stopping, SCRIPT_POLL_SECONDS, first_after=0.0)

    async def wait_for_third_parties(self) -> None:
        """Wait until no DaemonSet pod with the node selector `nvidia.com/gpu.deploy.client` is left.

        Raises:
            StuckError: A pod still exists after five minutes.
        """
        await self._poll(lambda: not any(map(_is_third_party, self._on_node())), CLIENT_POLL_SECONDS, 0.0)

    async def wait_unless_late(self, app: str) -> None:
        """Wait like `kubectl wait --for=delete` in the script: after five minutes the run continues."""
        with suppress(StuckError):
            await self._poll(lambda: not self._of_app(app), SCRIPT_POLL_SECONDS, first_after=0.0)

    async def delete(self, app: str, *, anywhere: bool = False) -> None:
        """Delete the pods with this `app` label, without waiting for their termination.

        Args:
            app: Value of the label.
            anywhere: Whether to delete those of all nodes (the fault `mig-manager-restarts-every-validator`).

        Raises:
            StuckError: The API server rejected the request or did not respond.
        """
        await self._pods.synced.wait()
        every = [pod for pod in self._pods.cache.values() if _labels(pod).get("app") == app] if anywhere else []
        await self._delete(every or self._of_app(app))

    async def delete_those_of_users(self) -> None:
        """Delete all pods of users on the node (the fault `mig-manager-deletes-user-pods`).

        Raises:
            StuckError: The API server rejected the request or did not respond.
        """
        kept = {self._namespace, "kube-system"}
        await self._delete([pod for pod in self._on_node() if pod["metadata"]["namespace"] not in kept])

    async def delete_nfd_worker(self) -> None:
        """Delete the pod of the NFD worker of the node (the fault `mig-manager-deletes-nfd-worker`).

        Raises:
            StuckError: The API server rejected the request or did not respond.
        """
        await self._delete([pod for pod in self._on_node() if _labels(pod).get("role") == "worker"])

    def _on_node(self) -> list[Object]:
        return list(self._pods.select(node_of, self._node))

    def _of_app(self, app: str) -> list[Object]:
        return [
            pod
            for pod in self._on_node()
            if pod["metadata"]["namespace"] == self._namespace and _labels(pod).get("app") == app
        ]

    async def _poll(self, satisfied: Callable[[], bool], seconds: float, first_after: float) -> None:
        await self._pods.synced.wait()
        deadline = self._clock.now() + self._patience
        await self._clock.sleep(first_after)
        while not satisfied():
            if self._clock.now() + seconds > deadline:
                await self._clock.sleep(deadline - self._clock.now())
                raise StuckError(_TIMED_OUT)
            await self._clock.sleep(seconds)

    async def _delete(self, pods: list[Object]) -> None:
        for pod in pods:
            name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
            try:
                await self._kube.delete(PODS, name, namespace)
            except (KubeError, aiohttp.ClientError, TimeoutError) as error:
                if not (isinstance(error, KubeError) and error.not_found):
                    raise StuckError(f"failed to delete pod {namespace}/{name}: {error}") from error


def _labels(pod: Object) -> dict[str, Any]:
    return pod["metadata"].get("labels") or {}


def _is_third_party(pod: Object) -> bool:
    owners = pod["metadata"].get("ownerReferences") or ()
    selects = pod["spec"].get("nodeSelector") or {}
    return names.DEPLOY_CLIENT in selects and any(owner["kind"] == "DaemonSet" for owner in owners)
