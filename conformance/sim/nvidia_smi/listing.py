"""`nvidia-smi -L`: GPUs with the MIG devices below them."""

from __future__ import annotations

from conformance.sim.nvidia_smi.answer import Answer, View


def gpus(view: View) -> Answer:
    """One line for each GPU, `GPU 0: NAME (UUID: GPU-...)`, and one for each MIG device below it.

    Source: hardware/*-nvidia-smi.txt for GPUs, device-plugin-and-gfd.md section 6 for MIG devices.
    """
    lines = []
    for index, gpu in view.gpus:
        lines.append(f"GPU {index}: {gpu.board.name} (UUID: {gpu.uuid})")
        devices = view.mig_handles(index)
        if view.nvml.hardware.faults.on("smi-misses-device"):
            devices = devices[:-1]
        for number, device in enumerate(devices):
            profile = view.nvml.nvmlDeviceGetName(device).rpartition(" ")[2]
            uuid = view.nvml.nvmlDeviceGetUUID(device)
            lines.append(f"  MIG {profile:<11} Device {number:>2}: (UUID: {uuid})")
    return 0, "\n".join(lines) + "\n"
