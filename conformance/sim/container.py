"""What a program sees from inside a simulated container.

A program is a coroutine function that takes a `Container` and returns an exit code. The kubelet starts it, sets `stop`
for SIGTERM and cancels it for SIGKILL. Programs interact with the rest of the cluster only through the Kubernetes API
(`kube`) and, as on a real node, through what the node shares: hardware, files and the kubelet's device manager.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.sim.clock import Clock
from conformance.sim.kube import Kube
from conformance.sim.node import SimNode


@dataclass
class Container:
    """One run of one container.

    Attributes:
        pod: The Pod object when the container started.
        name: Name of the container in the pod.
        image: Image reference; programs read their version from its tag.
        command: Entry point and arguments, `command` then `args` of the container spec.
        env: Environment, including the variables that device plugins added.
        node: The node that the container runs on.
        kube: API client of the component.
        clock: The cluster's clock, which programs use for every wait.
        visible: UUIDs of the GPUs and MIG devices that the runtime injected; None for all of the node (privileged
            operands, NVIDIA_VISIBLE_DEVICES=all).
        files: Returns the current content of a mounted file (ConfigMap volume) by absolute path; None if there is none.
        log: Appends one line to the container's log.
        stop: Set when the container is asked to stop (SIGTERM).
        message: What the program wrote to its termination message; empty for nothing.
    """

    pod: Mapping[str, Any]
    name: str
    image: str
    command: Sequence[str]
    env: Mapping[str, str]
    node: SimNode
    kube: Kube
    clock: Clock
    visible: frozenset[str] | None
    files: Callable[[str], str | None]
    log: Callable[[str], None]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    message: str = ""

    @property
    def version(self) -> str:
        """Tag of the image, for example `v0.15.0`; empty if there is none."""
        _, _, tag = self.image.rpartition("/")[2].partition(":")
        return tag.partition("@")[0]

    async def stopped(self) -> int:
        """Wait for SIGTERM and return 0: the body of a program that only has to run."""
        await self.stop.wait()
        return 0


Program = Callable[[Container], Awaitable[int]]
"""Runs until it exits or `stop` is set; returns the exit code (0 to 255)."""
