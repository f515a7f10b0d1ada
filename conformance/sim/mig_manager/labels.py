"""The node labels that mig-manager writes: its state, and the deploy labels of the operands.

Source: NVIDIA/mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import aiohttp

from conformance.sim.kube import NODES, Kube, KubeError
from conformance.sim.mig_manager.process import StepError
from conformance.spec import names

NVSM = names.DEPLOY_PREFIX + "nvsm"
_FORCED_OFF = "false"
"""Value of a deploy label that disables an operand; mig-manager keeps it."""


def paused(value: str) -> str:
    """Return the value of a deploy label during a reconfiguration."""
    return value if value == _FORCED_OFF else names.PAUSED


def resumed(value: str) -> str:
    """Return the value of a deploy label after the run; `value` is the value before it."""
    return value if value == _FORCED_OFF else "true"


class NodeLabels:
    """The labels of one node: values at the start of a run, and updates."""

    def __init__(self, kube: Kube, node: str) -> None:
        self._kube = kube
        self._node = node
        self.state = ""
        self._deploy = dict.fromkeys((names.DEPLOY_PREFIX + operand for operand in names.PAUSED_OPERANDS), "")

    async def read(self, *, with_client: bool) -> None:
        """Remember the current values; a missing label counts as empty.

        Args:
            with_client: Whether to handle `nvidia.com/gpu.deploy.client`, too, if the node has it.

        Raises:
            StepError: The node cannot be read; all values then count as empty.
        """
        try:
            node = await self._kube.get(NODES, self._node)
        except (KubeError, aiohttp.ClientError, TimeoutError) as error:
            raise StepError(f"failed to get node: {error}") from error
        labels = node["metadata"].get("labels") or {}
        self.state = labels.get(names.MIG_CONFIG_STATE, "")
        self._deploy = {label: labels.get(label, "") for label in self._deploy}
        if with_client and labels.get(names.DEPLOY_CLIENT):
            self._deploy[names.DEPLOY_CLIENT] = labels[names.DEPLOY_CLIENT]

    @property
    def deploy(self) -> Mapping[str, str]:
        """The deploy labels that this run pauses, with their values before it."""
        return self._deploy

    async def pause(
        self,
        *,
        also: Mapping[str, str | None] = MappingProxyType({}),
        spec: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Pause the operands.

        Args:
            also: Labels to write in the same patch, None to remove one (the faults `mig-manager-merges-patches` and
                `mig-manager-removes-state`).
            spec: Fields of the node's spec to write in the same patch (the fault `mig-manager-uncordons`).

        Raises:
            StepError: The labels could not be written.
        """
        labels = {**also, **{label: paused(value) for label, value in self._deploy.items()}}
        await self._patch({"metadata": {"labels": labels}} | ({"spec": dict(spec)} if spec else {}))

    async def resume(self, *, without: Iterable[str] = (), forced: bool = False) -> None:
        """Resume the operands.

        Args:
            without: Labels to leave unchanged.
            forced: Whether to resume disabled operands, too (the fault `mig-manager-overrides-false`).

        Raises:
            StepError: The labels could not be written.
        """
        await self.write(
            {
                label: "true" if forced else resumed(value)
                for label, value in self._deploy.items()
                if label not in without
            }
        )

    async def remove_disabled(self) -> None:
        """Remove the deploy labels of disabled operands (the fault `mig-manager-removes-false`).

        Raises:
            StepError: The labels could not be written.
        """
        await self.write({label: None for label, value in self._deploy.items() if value == _FORCED_OFF})

    async def write(self, labels: Mapping[str, str | None]) -> None:
        """Write labels in one patch; None removes a label.

        Raises:
            StepError: The API server rejected the request or did not respond.
        """
        await self._patch({"metadata": {"labels": dict(labels)}})

    async def change_spec(self, fields: Mapping[str, object]) -> None:
        """Change fields of the node's spec, which the real mig-manager never does; only faults use it.

        Raises:
            StepError: The API server rejected the request or did not respond.
        """
        await self._patch({"spec": dict(fields)})

    async def _patch(self, patch: dict[str, Any]) -> None:
        try:
            await self._kube.patch(NODES, self._node, patch)
        except (KubeError, aiohttp.ClientError, TimeoutError) as error:
            raise StepError(str(error)) from error
