"""`nvidia-smi -r`: reset GPUs, which is what puts a pending MIG mode into effect on Ampere.

Source: messages and exit codes of refused resets from golden/mig-parted.json; mig-parted repeats them in its log.
"""

from __future__ import annotations

from conformance.sim.hardware import ErrorCode, ResetRefusedError, ResetUnsupportedError
from conformance.sim.nvidia_smi.answer import Answer, View

REFUSED = 255


def reset(view: View) -> Answer:
    """Reset the GPUs of `view`, all or none of them."""
    if view.nvml.visible is not None:
        return int(ErrorCode.NO_PERMISSION), "Insufficient Permissions\n"
    try:
        view.nvml.hardware.reset([gpu.index for _, gpu in view.gpus])
    except ResetUnsupportedError:
        first = view.gpus[0][1].pci_bus_id
        return int(ErrorCode.NOT_SUPPORTED), (
            f"\nGPU {first}: resetting is not supported on this system; reboot to apply the pending change\n"
        )
    except ResetRefusedError as refused:
        busy = "".join(f"  GPU {bus_id}: In use by another client\n" for bus_id in refused.busy)
        devices, these = (
            ("1 device is", "this device")
            if len(refused.busy) == 1
            else (f"{len(refused.busy)} devices are", "these devices")
        )
        return REFUSED, (
            f"\nThe following GPUs could not be reset:\n{busy}\n"
            f"{devices} currently being used by one or more other processes. Please first kill all processes using"
            f" {these} and retry the command or reboot the system.\n"
        )
    done = "".join(f"GPU {gpu.pci_bus_id} was successfully reset.\n" for _, gpu in view.gpus)
    return 0, f"{done}All done.\n"
