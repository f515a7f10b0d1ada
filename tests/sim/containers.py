"""Containers of simulated programs without a kubelet around them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from conformance.sim.clock import Clock
from conformance.sim.container import Container
from conformance.sim.faults import Faults
from conformance.sim.hardware import NodeHardware
from conformance.sim.kube import Kube
from conformance.sim.node import SimNode

POD: Mapping[str, Any] = {
    "metadata": {
        "name": "operand-x7k2p",
        "namespace": "gpu-operator",
        "uid": "pod-uid",
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "operand", "uid": "set-uid", "controller": True}
        ],
    }
}


class Log(list[str]):
    """The log of a container."""

    @property
    def texts(self) -> list[str]:
        """Lines of klog without their heads."""
        return [line.partition("] ")[2] for line in self]


def container(
    hardware: NodeHardware,
    *,
    env: Mapping[str, str],
    log: Log,
    kube: object = None,
    clock: Clock | None = None,
    version: str = "v0.20.0",
    files: Mapping[str, str] | None = None,
) -> Container:
    """Build a container of the device plugin's image on a node of its own."""
    clock = clock or Clock()
    faults: Faults = hardware.faults
    return Container(
        pod=POD,
        name="operand",
        image=f"nvcr.io/nvidia/k8s-device-plugin:{version}",
        command=("/bin/sh", "-c", "/bin/entrypoint.sh"),
        env=env,
        node=SimNode("sim-0", hardware, clock, faults),
        kube=cast("Kube", kube),
        clock=clock,
        visible=None,
        files=dict(files or {}).get,
        log=log.append,
    )


async def settle(rounds: int = 20) -> None:
    """Let the programs run until they wait for something outside."""
    for _ in range(rounds):
        await asyncio.sleep(0)
