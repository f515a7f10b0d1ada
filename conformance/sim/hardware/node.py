"""All GPUs of one node, and their driver."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Sequence
from typing import Final

from conformance.sim.faults import Faults
from conformance.sim.hardware.errors import ResetRefusedError, ResetUnsupportedError
from conformance.sim.hardware.gpu import Client, Gpu
from conformance.spec.models import Board, GpuModel, find_board

PCI_BUSES = ("07", "0F", "47", "4E", "87", "90", "B7", "BD")
"""PCI buses of the eight GPUs of a DGX A100; further GPUs use the same buses in the next PCI domain."""

_DCGM_PID: Final = 1201
_PERSISTENCED_PID: Final = 1202


class NodeHardware:
    """The GPUs of a node; the same arguments give the same UUIDs.

    Attributes:
        gpus: In index order.
        faults: The faults that are switched on, also for NVML and nvidia-smi.
        driver_version: Version of the driver.
        cuda: Highest CUDA version of the driver.
        machine: DMI product name of the node.
        boot_id: Changes with each reboot.
        init_error: Return code of NVML's initialisation (9: driver not loaded); None if the driver works.
        mode_needs_reboot: Whether a mode change needs a reboot on every GPU; resets are then unsupported.
        profiles_need_mig: Whether profiles can be listed only while MIG is on, as with old drivers.
        processes: Names of the processes on the host that use GPUs, by process id, besides those in containers.
    """

    def __init__(
        self,
        boards: Sequence[str | tuple[GpuModel, Board]],
        seed: int = 0,
        node: str = "node",
        faults: Faults | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self.driver_version = "470.57.02" if self.faults.on("hardware-old-driver") else "580.159.04"
        self.cuda = (13, 0)
        self.machine = "Simulated-HGX"
        self.init_error: int | None = None
        self.mode_needs_reboot = False
        self.profiles_need_mig = False
        self._name = f"{seed}/{node}"
        self._boots = 0
        self.gpus = [self._gpu(index, board, len(boards)) for index, board in enumerate(boards)]
        self.processes: dict[int, str] = {}
        self._start_host_services()

    @property
    def rebooted(self) -> bool:
        """Whether the node has booted again since the simulation began."""
        return self._boots > 0

    @property
    def boot_id(self) -> str:
        """The boot id of the kernel, `/proc/sys/kernel/random/boot_id`."""
        return str(self._uuid(f"boot/{self._boots}"))

    def hold(self, gpu_index: int, pid: int, gi_id: int | None = None, ci_id: int | None = None) -> None:
        """Let a process use a GPU or, with instance ids, one of its GPU instances or MIG devices."""
        self.gpus[gpu_index].clients.append(Client(pid, gi_id, ci_id))

    def release(self, pid: int | None = None) -> None:
        """Release what process `pid` uses; None ends all processes."""
        for gpu in self.gpus:
            gpu.clients = [client for client in gpu.clients if pid is not None and client.pid != pid]

    def set_mode(self, gpu: Gpu, wanted: bool) -> bool:
        """Switch MIG on or off on one GPU; return whether the change took effect. See `Gpu.set_mode`.

        Raises:
            DriverError: `NOT_SUPPORTED` on a GPU without MIG.
        """
        return gpu.set_mode(wanted, needs_reboot=self.mode_needs_reboot)

    def reset(self, indices: Collection[int] | None = None) -> None:
        """Reset all of these GPUs or none; None means all GPUs. Instances are lost and pending modes take effect.

        Raises:
            ResetUnsupportedError: With `mode_needs_reboot`.
            ResetRefusedError: Processes use some of these GPUs.
        """
        chosen = [gpu for gpu in self.gpus if indices is None or gpu.index in indices]
        if self.mode_needs_reboot:
            raise ResetUnsupportedError
        if busy := tuple(gpu.pci_bus_id for gpu in chosen if gpu.clients):
            raise ResetRefusedError(busy)
        for gpu in chosen:
            gpu.reset()

    def reboot(self) -> None:
        """Restart the node: all processes end, and each GPU reboots as its generation does."""
        self._boots += 1
        for gpu in self.gpus:
            gpu.reboot(keeps_mode=self.faults.on("hardware-keeps-mode"))
        self._start_host_services()

    def _start_host_services(self) -> None:
        """Start what runs on the host itself and keeps GPUs open; nothing without a fault.

        DCGM's host engine is a client of every GPU. nvidia-persistenced keeps a GPU from being reset, which changes the
        MIG mode before Hopper only.
        """
        self.processes.clear()
        if self.faults.on("host-runs-dcgm"):
            self._run_on_host(_DCGM_PID, "nv-hostengine", self.gpus)
        if self.faults.on("host-runs-persistenced"):
            needing_reset = [gpu for gpu in self.gpus if not gpu.switches_at_once]
            self._run_on_host(_PERSISTENCED_PID, "nvidia-persiste", needing_reset)

    def _run_on_host(self, pid: int, name: str, gpus: Sequence[Gpu]) -> None:
        self.processes[pid] = name
        for gpu in gpus:
            self.hold(gpu.index, pid)

    def _gpu(self, index: int, board: str | tuple[GpuModel, Board], count: int) -> Gpu:
        model, product = find_board(board) if isinstance(board, str) else board
        domain, slot = divmod(index, len(PCI_BUSES))
        return Gpu(
            index=index,
            minor=index,
            uuid=f"GPU-{self._uuid(f'gpu/{index}/{product.slug}', everywhere=self.faults.on('hardware-same-uuids'))}",
            model=model,
            board=product,
            pci_bus_id=f"{domain:08X}:{PCI_BUSES[slot]}:00.0",
            mig_capable=bool(model.profiles),
            numa_node=0 if index < (count + 1) // 2 else 1,
            loses_newest=index == 0 and self.faults.on("hardware-loses-instance"),
            loses_compute=index == 0 and self.faults.on("hardware-loses-compute-instance"),
            ignores_clients=self.faults.on("hardware-takes-busy-devices")
            or (index > 0 and self.faults.on("hardware-takes-other-busy-devices")),
        )

    def _uuid(self, what: str, *, everywhere: bool = False) -> uuid.UUID:
        name = "" if everywhere else self._name
        return uuid.UUID(bytes=hashlib.sha256(f"{name}/{what}".encode()).digest()[:16], version=4)
