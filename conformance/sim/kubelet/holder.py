"""The suite's program `hold.py`, which keeps a CUDA context on the device of its container.

The script needs the CUDA driver, which simulated nodes do not have. This program uses the GPU in its place, as the
driver sees it: a client of the GPU or of one MIG device until the process ends.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

from conformance.sim.container import Container
from conformance.sim.hardware import NodeHardware

SCRIPT: Final = "hold.py"
HOLDING: Final = "holding"
"""What the script prints, before the UUID, once it has the context."""
_PIDS: Final = itertools.count(20_000)


async def hold(container: Container) -> int:
    """Use the first device that CUDA finds until SIGTERM; 1 where it finds none."""
    hardware, pid = container.node.hardware, next(_PIDS)
    found = next(_devices(hardware, container.visible), None) if hardware.init_error is None else None
    if found is None:
        container.log("cuInit failed with error 100")
        return 1
    gpu, gi_id, ci_id, uuid = found
    hardware.hold(gpu, pid, gi_id, ci_id)
    container.log(f"{HOLDING} {uuid}")
    try:
        return await container.stopped()
    finally:
        hardware.release(pid)


def _devices(
    hardware: NodeHardware, visible: frozenset[str] | None
) -> Iterator[tuple[int, int | None, int | None, str]]:
    """Yield index of the GPU, ids of GPU and compute instance (None for a whole GPU) and UUID of each CUDA device."""
    for gpu in hardware.gpus:
        if not gpu.mode_current:
            if visible is None or gpu.uuid in visible:
                yield gpu.index, None, None, gpu.uuid
            continue
        for instance in gpu.instances:
            for compute in instance.compute_instances:
                if visible is None or compute.uuid in visible or gpu.uuid in visible:
                    yield gpu.index, instance.id, compute.id, compute.uuid
