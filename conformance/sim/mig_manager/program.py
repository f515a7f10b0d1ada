"""The program: chooses the configuration file, then waits for the label and applies its value, in a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Final

from conformance.sim.container import Container
from conformance.sim.hardware import Gpu
from conformance.sim.kube import NODES
from conformance.sim.mig_manager.config_source import SetupError, choose_config_file
from conformance.sim.mig_manager.process import Process, StepError
from conformance.sim.mig_manager.reconfigure import Reconfiguration
from conformance.sim.mig_manager.slot import ConfigSlot, follow_label
from conformance.sim.node import MANAGER_LOOKED
from conformance.spec import names

_ENDED_BY_SIGTERM: Final = 143
"""Exit code after SIGTERM, which the program does not handle (128 + 15)."""
LATE_SECONDS: Final = 60.0
"""Cluster seconds by which the fault `mig-manager-starts-late` delays the first look at the label after a reboot."""
HOST_STATE: Final = "/var/lib/nvidia-mig-manager/selected-config"
"""File on the host with the last configuration; only the fault `mig-manager-trusts-host-file` reads it."""


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
    if process.fault("mig-manager-starts-late") and process.container.node.hardware.rebooted:
        process.container.node.files[MANAGER_LOOKED] = ""
        await process.container.clock.sleep(LATE_SECONDS)
    slot = ConfigSlot(
        queues=process.fault("mig-manager-queues-changes"),
        drops_empty=process.fault("mig-manager-forgets-removal"),
        wakes_for_empty=process.fault("mig-manager-acts-on-removal"),
        repeats=process.fault("mig-manager-retries"),
    )
    unfollow = follow_label(process.container.kube, process.settings.node, slot, partial(_at_start, process))
    try:
        while True:
            process.log(f"Waiting for change to '{names.MIG_CONFIG}' label")
            late = asyncio.create_task(_fail_late(process))
            try:
                selected = await slot.take()
            finally:
                late.cancel()
            await _update(process, config_file, selected)
    finally:
        unfollow()


async def _update(process: Process, config_file: str, selected: str) -> None:
    if process.stuck and process.fault("mig-manager-stays-stuck"):
        return
    process.container.node.files[HOST_STATE] = selected
    process.log(f"Updating to MIG config: {selected}")
    try:
        await Reconfiguration(process, config_file, selected).run()
    except StepError as error:
        process.log(f"Error: {error}", "error")
    else:
        process.log(f"Successfully updated to MIG config: {selected}")
        if process.is_new and process.fault("mig-manager-leaves-slice"):
            _divide(process.container.node.hardware.gpus[0])
        if process.is_new and process.fault("mig-manager-pauses-at-start"):
            labels = {"metadata": {"labels": {names.PAUSED_APPS[names.DCGM_EXPORTER_APP]: names.PAUSED}}}
            await process.container.kube.patch(NODES, process.settings.node, labels)
    finally:
        process.is_new = False
        process.container.node.files[MANAGER_LOOKED] = ""


async def _fail_late(process: Process) -> None:
    """Report a failure when pods have given back all devices after a success (the fault `mig-manager-fails-late`)."""
    if not (process.changed and process.fault("mig-manager-fails-late")):
        return
    await process.container.node.devices.unused()
    labels = {"metadata": {"labels": {names.MIG_CONFIG_STATE: names.State.FAILED}}}
    await process.container.kube.patch(NODES, process.settings.node, labels)


def _divide(gpu: Gpu) -> None:
    """Make a MIG device, and beside it a GPU instance without a compute instance."""
    gpu.set_mode(True, needs_reboot=False)
    smallest = min(gpu.model.profiles, key=lambda row: row.slices)
    gpu.create_compute_instance(gpu.create_instance(smallest), profile=0)
    gpu.create_instance(smallest)


def _at_start(process: Process, labels: Mapping[str, str]) -> str:
    """Return the configuration that a new process applies: that of the label, whatever the state says."""
    selected = _selected(process, labels)
    if not selected:
        process.container.node.files[MANAGER_LOOKED] = ""
    return selected


def _selected(process: Process, labels: Mapping[str, str]) -> str:
    node, state = process.container.node, labels.get(names.MIG_CONFIG_STATE)
    if process.fault("mig-manager-leaves-pending") and state == names.State.PENDING:
        return ""
    if process.fault("mig-manager-forgets-layout") and state == names.State.SUCCESS:
        return ""
    is_first = node.hardware.rebooted and MANAGER_LOOKED not in node.files
    if process.fault("mig-manager-waits-for-change") and is_first and not state:
        return ""
    if process.fault("mig-manager-trusts-host-file") and node.hardware.rebooted:
        return node.files.get(HOST_STATE, "")
    return labels.get(names.MIG_CONFIG, "")
