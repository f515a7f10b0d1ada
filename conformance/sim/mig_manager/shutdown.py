"""Steps 8 and 9 of a reconfiguration: wait for all GPU clients to terminate, and delete the validators.

Source: NVIDIA/mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go (waitForPodsToBeDeleted).
"""

from __future__ import annotations

from typing import Final

from conformance.sim.mig_manager.clients import GpuClients
from conformance.sim.mig_manager.process import Process, StuckError
from conformance.spec import names

OPERANDS: Final = (
    ("device-plugin", names.DEVICE_PLUGIN_APP, "the device-plugin"),
    ("gpu-feature-discovery", names.FEATURE_DISCOVERY_APP, "gpu-feature-discovery"),
    ("dcgm-exporter", names.DCGM_EXPORTER_APP, "dcgm-exporter"),
    ("dcgm", names.DCGM_APP, "dcgm"),
)
"""Operands to wait for, in order: short name, `app` label and name in the log."""
VALIDATORS: Final = (
    ("cuda-validator", "nvidia-cuda-validator"),
    ("plugin-validator", "nvidia-device-plugin-validator"),
)
"""Pods to delete, in order: name in the log and `app` label."""
_FAILED: Final = "failed to wait for pods to be deleted"


async def wait_for_clients(process: Process, clients: GpuClients) -> None:
    """Wait for the operands to terminate, one after the other, then for third-party clients.

    Raises:
        StuckError: A pod still exists after five minutes; before v0.13.0 the run continues instead.
    """
    for name, app, spoken in OPERANDS:
        process.tell(f"Waiting for {spoken} to shutdown")
        if process.fault("mig-manager-waits-too-little"):
            await clients.wait_until_stopping(app)
            continue
        if process.behaviour.script:
            await clients.wait_unless_late(app)
            continue
        try:
            await clients.wait_for_operand(app)
        except StuckError as error:
            raise StuckError(f"{_FAILED}: {name} pod did not shutdown: {error}") from error
    if process.behaviour.pauses_client:
        await _wait_for_third_parties(process, clients)


async def delete_validators(process: Process, clients: GpuClients) -> None:
    """Delete the pods that validated the former GPU configuration.

    Raises:
        StuckError: The API server rejected the request or did not respond.
    """
    for spoken, app in VALIDATORS:
        process.tell(f"Removing the {spoken} pod")
        try:
            await clients.delete(app)
        except StuckError as error:
            raise StuckError(f"{_FAILED}: failed to delete {spoken} pod: {error}") from error
    if process.fault("mig-manager-deletes-user-pods"):
        await clients.delete_those_of_users()


async def _wait_for_third_parties(process: Process, clients: GpuClients) -> None:
    pods = f"daemon set pods with nodeSelector key {names.DEPLOY_CLIENT}"
    process.tell(f"Waiting for any {pods} to shutdown")
    try:
        await clients.wait_for_third_parties()
    except StuckError as error:
        raise StuckError(f"{_FAILED}: {pods} did not shutdown: {error}") from error
