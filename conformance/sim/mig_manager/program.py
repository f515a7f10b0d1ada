"""The program: chooses the configuration file, then waits for the label and applies its value, in a loop."""

from __future__ import annotations

import asyncio
from typing import Final

from conformance.sim.container import Container
from conformance.sim.mig_manager.config_source import SetupError, choose_config_file
from conformance.sim.mig_manager.process import Process, StepError
from conformance.sim.mig_manager.reconfigure import Reconfiguration
from conformance.sim.mig_manager.slot import ConfigSlot, follow_label
from conformance.spec import names

_ENDED_BY_SIGTERM: Final = 143
"""Exit code after SIGTERM, which the program does not handle (128 + 15)."""


async def mig_manager(container: Container) -> int:
    """Run until SIGTERM, which aborts a reconfiguration; exit code 1 if there is no configuration."""
    serving = asyncio.create_task(_serve(Process(container, container.files)))
    stopping = asyncio.create_task(container.stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return serving.result() if serving.done() else _ENDED_BY_SIGTERM
    finally:
        serving.cancel()
        stopping.cancel()
        await asyncio.gather(serving, stopping, return_exceptions=True)


async def _serve(process: Process) -> int:
    try:
        config_file = await choose_config_file(process)
    except SetupError as error:
        process.log(f"Error: {error}")
        return 1
    slot = ConfigSlot(
        queues=process.fault("mig-manager-queues-changes"),
        drops_empty=process.fault("mig-manager-forgets-removal"),
        wakes_for_empty=process.fault("mig-manager-acts-on-removal"),
        repeats=process.fault("mig-manager-retries"),
    )
    unfollow = follow_label(process.container.kube, process.settings.node, slot)
    try:
        while True:
            process.log(f"Waiting for change to '{names.MIG_CONFIG}' label")
            await _update(process, config_file, await slot.take())
    finally:
        unfollow()


async def _update(process: Process, config_file: str, selected: str) -> None:
    process.log(f"Updating to MIG config: {selected}")
    try:
        await Reconfiguration(process, config_file, selected).run()
    except StepError as error:
        process.log(f"Error: {error}", "error")
    else:
        process.log(f"Successfully updated to MIG config: {selected}")
