"""`nvidia-smi -L`, and `nvidia-smi` without arguments: the table of GPUs, MIG devices and processes.

Sources for the table: output of driver 580.159.04 on an H100 with MIG off; output published by users with MIG on.
Temperature and power are not simulated and print as N/A, as on a virtual GPU.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from conformance.sim.hardware import Gpu
from conformance.sim.nvidia_smi.answer import Answer, View

TOP = "+-----------------------------------------------------------------------------------------+"
GPU_HEAD = """\
+-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|=========================================+========================+======================|
"""
GPU_EDGE = "+-----------------------------------------+------------------------+----------------------+\n"
MIG_HEAD = """\
+-----------------------------------------------------------------------------------------+
| MIG devices:                                                                            |
+------------------+----------------------------------+-----------+-----------------------+
| GPU  GI  CI  MIG |              Shared Memory-Usage |        Vol|        Shared         |
|      ID  ID  Dev |                Shared BAR1-Usage | SM     Unc| CE ENC  DEC  OFA  JPG |
|                  |                                  |        ECC|                       |
|==================+==================================+===========+=======================|
"""
MIG_EDGE = "+------------------+----------------------------------+-----------+-----------------------+\n"
NO_MIG = "|  No MIG devices found                                                                   |\n"
PROCESSES_HEAD = """\
+-----------------------------------------------------------------------------------------+
| Processes:                                                                              |
|  GPU   GI   CI              PID   Type   Process name                        GPU Memory |
|        ID   ID                                                               Usage      |
|=========================================================================================|
"""
NO_PROCESSES = "|  No running processes found                                                             |\n"
NAME_WIDTH = 27


def listing(view: View) -> Answer:
    """Return one line for each GPU, `GPU 0: NAME (UUID: GPU-...)`, and below it one for each MIG device.

    Source: tests/sim/hardware/*.txt for GPUs, docs/reference/nvidia-smi.md#listing for MIG devices.
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


def table(view: View, now: datetime) -> Answer:
    """Return the table as of `now`."""
    version, (major, minor) = view.nvml.hardware.driver_version, view.nvml.hardware.cuda
    title = f"NVIDIA-SMI {version:<22} Driver Version: {version:<14} CUDA Version: {f'{major}.{minor}':<8}"
    parts = [f"{now:%a %b %e %H:%M:%S %Y}       \n{TOP}\n| {title} |\n", GPU_HEAD]
    parts += [_gpu(view, index, gpu) for index, gpu in view.gpus]
    parts += ["\n", *_mig_devices(view)] if view.mig_enabled else []
    parts += ["\n", PROCESSES_HEAD, *(_processes(view) or [NO_PROCESSES]), TOP, "\n"]
    return 0, "".join(parts)


def _gpu(view: View, index: int, gpu: Gpu) -> str:
    name = gpu.board.name if len(gpu.board.name) <= NAME_WIDTH else f"{gpu.board.name[: NAME_WIDTH - 3]}..."
    mode = ("Enabled" if gpu.mode_current else "Disabled") if gpu.mig_capable else "N/A"
    ecc = "On" if gpu.mode_current else "0"
    memory = f"{0:>8}MiB / {gpu.model.memory_total_mib:>6}MiB" if view.nvml.may_use(gpu) else f"{'N/A':>21}  "
    return (
        f"| {index:>3}  {name:<31}{'On':<4}|   {gpu.pci_bus_id} Off |{ecc:>21} |\n"
        f"| N/A   N/A    P0            N/A  /  N/A  |{memory} |"
        f"{'N/A' if gpu.mode_current else '0%':>8}      Default |\n"
        f"|{'':41}|{'':24}|{mode:>21} |\n{GPU_EDGE}"
    )


def _mig_devices(view: View) -> list[str]:
    rows = [
        _mig_device(view, index, gpu, number, device) + MIG_EDGE
        for index, gpu in view.mig_enabled
        for number, device in enumerate(view.mig_handles(index))
    ]
    return [MIG_HEAD, *rows] if rows else [MIG_HEAD, NO_MIG, TOP, "\n"]


def _mig_device(view: View, index: int, gpu: Gpu, number: int, device: Any) -> str:
    nvml, attributes = view.nvml, view.nvml.nvmlDeviceGetAttributes_v2(device)
    gi, ci = nvml.nvmlDeviceGetGpuInstanceId(device), nvml.nvmlDeviceGetComputeInstanceId(device)
    size = nvml.mig_device_of(device)[1].size
    aperture = _bar1_mib(gpu) * size // gpu.model.memory_units - 1
    return (
        f"| {index:>2}  {gi:>3} {ci:>3} {number:>3}  |{_usage(attributes.memorySizeMB)}| "
        f"{attributes.multiprocessorCount:<3}{0:>6} |{attributes.sharedCopyEngineCount:>3}"
        f"{attributes.sharedEncoderCount:>4}{attributes.sharedDecoderCount:>5}"
        f"{attributes.sharedOfaCount:>5}{attributes.sharedJpegCount:>5} |\n"
        f"|{'':18}|{_usage(aperture)}|{'':11}|{'':23}|\n"
    )


def _usage(total_mib: int) -> str:
    return f"{0:>16}MiB / {f'{total_mib:>5}MiB':<12}"


def _bar1_mib(gpu: Gpu) -> int:
    """Return the size of the GPU's BAR1: its memory rounded up to a power of two, as on all data-centre GPUs seen."""
    return 1 << (gpu.model.memory_total_mib - 1).bit_length()


def _processes(view: View) -> list[str]:
    return [
        f"|  {index:>3} {_id(process.gi_id):>5} {_id(process.ci_id):>4} {process.pid:>15} {'C':>6}   "
        f"{'[Not Found]':<32}{'N/A':>14} |\n"
        for index, gpu in view.gpus
        for process in gpu.clients
    ]


def _id(number: int | None) -> str:
    return "N/A" if number is None else str(number)
