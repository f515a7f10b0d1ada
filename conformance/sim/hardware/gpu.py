"""One GPU: its MIG mode, its instances, and the processes that use them."""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance.sim.hardware import compute
from conformance.sim.hardware.errors import DriverError, ErrorCode
from conformance.sim.hardware.instances import ComputeInstance, GpuInstance, mig_uuid
from conformance.sim.hardware.placement import free_starts, may_add, remaining
from conformance.spec.models import Board, GpuModel, ProfileRow


@dataclass(frozen=True)
class Client:
    """A process that uses a GPU or one of its MIG devices; an instance id of None means all instances."""

    pid: int
    gi_id: int | None = None
    ci_id: int | None = None


@dataclass(eq=False)
class Gpu:
    """One GPU of a node.

    Attributes:
        index: NVML index on the node.
        minor: Number of its device file, `/dev/nvidia<minor>`.
        uuid: `GPU-` and a UUID.
        model: The GPU model, which determines the MIG profiles.
        board: The product.
        pci_bus_id: Like `00000000:07:00.0`.
        numa_node: NUMA node of its PCI slot.
        mig_capable: Whether it supports MIG; if not, every MIG call fails with `NOT_SUPPORTED`.
        mode_current: Whether MIG is on.
        mode_pending: The mode after the next reset or reboot; equal to `mode_current` if no change is pending.
        clients: Processes that use it.
        loses_newest: Whether the newest instance disappears (fault `hardware-loses-instance`).
        loses_compute: Whether its compute instances do (fault `hardware-loses-compute-instance`).
        ignores_clients: Whether it is changed although processes use it (faults `hardware-takes-busy-devices` and
            `hardware-takes-other-busy-devices`).
    """

    index: int
    minor: int
    uuid: str
    model: GpuModel
    board: Board
    pci_bus_id: str
    numa_node: int
    mig_capable: bool = True
    mode_current: bool = False
    mode_pending: bool = False
    clients: list[Client] = field(default_factory=list)
    loses_newest: bool = False
    loses_compute: bool = False
    ignores_clients: bool = False
    _instances: list[GpuInstance] = field(default_factory=list)
    _unseen: GpuInstance | None = None

    @property
    def created(self) -> list[GpuInstance]:
        """The instances in order of creation."""
        self._lose_newest()
        return list(self._instances)

    @property
    def instances(self) -> list[GpuInstance]:
        """The instances in NVML order: by id, so that large profiles come first."""
        return sorted(self.created, key=lambda instance: instance.id)

    @property
    def switches_at_once(self) -> bool:
        """Whether a mode change takes effect without a reset (Hopper and later). A reboot then resets the mode."""
        return self.model.compute_capability[0] >= 9

    def instance(self, gi_id: int) -> GpuInstance:
        """Return the GPU instance with this id.

        Raises:
            DriverError: `NOT_FOUND`.
        """
        for instance in self._instances:
            if instance.id == gi_id:
                return instance
        raise DriverError(ErrorCode.NOT_FOUND)

    def set_mode(self, wanted: bool, *, needs_reboot: bool) -> bool:
        """Switch MIG on or off; return whether the change took effect.

        The change stays pending while there are instances or clients, on Ampere until a reset, and with `needs_reboot`
        until a reboot. NVML does not treat that as an error.

        Raises:
            DriverError: `NOT_SUPPORTED` on a GPU without MIG.
        """
        if not self.mig_capable:
            raise DriverError(ErrorCode.NOT_SUPPORTED)
        self.mode_pending = wanted
        busy = bool((self.clients and not self.ignores_clients) or self._instances)
        if wanted != self.mode_current and self.switches_at_once and not busy and not needs_reboot:
            self.mode_current = wanted
        return self.mode_current == wanted

    def create_instance(self, row: ProfileRow, start: int | None = None) -> GpuInstance:
        """Create a GPU instance; if `start` is None, the driver chooses the highest free start.

        Raises:
            DriverError: `NOT_SUPPORTED` while MIG is off, `INSUFFICIENT_RESOURCES` when it does not fit,
                `INVALID_ARGUMENT` for a start that the profile does not have.
        """
        self._require_mig()
        if start is not None and start not in row.placements.starts:
            raise DriverError(ErrorCode.INVALID_ARGUMENT)
        starts = free_starts(row, self._instances) if may_add(self.model, row, self._instances) else ()
        if not starts or (start is not None and start not in starts):
            raise DriverError(ErrorCode.INSUFFICIENT_RESOURCES)
        instance = GpuInstance.at(self.model, row, starts[-1] if start is None else start)
        self._instances.append(instance)
        self._unseen = instance
        return instance

    def destroy_instance(self, instance: GpuInstance) -> None:
        """Remove a GPU instance.

        Raises:
            DriverError: `IN_USE` while it has compute instances or a process uses it.
        """
        if instance.compute_instances or self._held(instance.id, None):
            raise DriverError(ErrorCode.IN_USE)
        self._instances.remove(instance)

    def create_compute_instance(self, instance: GpuInstance, profile: int) -> ComputeInstance:
        """Create a compute instance of `profile` (see `compute.SIZES`) with the lowest free id.

        Raises:
            DriverError: `INVALID_ARGUMENT` for a profile that the instance does not offer, `INSUFFICIENT_RESOURCES` if
                too few slices are free.
        """
        slices = compute.offered(instance, profile)
        if slices is None:
            raise DriverError(ErrorCode.INVALID_ARGUMENT)
        if slices > compute.free_slices(instance):
            raise DriverError(ErrorCode.INSUFFICIENT_RESOURCES)
        used = {existing.id for existing in instance.compute_instances}
        ci_id = next(number for number in range(instance.row.slices) if number not in used)
        created = ComputeInstance(ci_id, slices, mig_uuid(self.uuid, instance.id, ci_id))
        instance.compute_instances.append(created)
        instance.compute_instances.sort(key=lambda each: each.id)
        return created

    def destroy_compute_instance(self, instance: GpuInstance, ci_id: int) -> None:
        """Remove a compute instance.

        Raises:
            DriverError: `IN_USE` while a process uses it, `NOT_FOUND` if there is none with this id.
        """
        found = [existing for existing in instance.compute_instances if existing.id == ci_id]
        if not found:
            raise DriverError(ErrorCode.NOT_FOUND)
        if self._held(instance.id, ci_id):
            raise DriverError(ErrorCode.IN_USE)
        instance.compute_instances.remove(found[0])

    def remaining(self, row: ProfileRow) -> int:
        """Return how many more instances of `row` fit; while MIG is off, the profile's maximum, as on a real H100."""
        return remaining(self.model, row, self._instances)

    def reset(self) -> None:
        """Reset the GPU: instances are lost and the pending mode takes effect."""
        self._instances.clear()
        self.mode_current = self.mode_pending

    def reboot(self, *, keeps_mode: bool = False) -> None:
        """Reboot: processes and instances are lost.

        Afterwards MIG is off if the GPU switches modes at once; otherwise the pending mode takes effect. With
        `keeps_mode` it does so on every GPU (the fault `hardware-keeps-mode`).
        """
        self.clients.clear()
        if self.switches_at_once and not keeps_mode:
            self.mode_pending = False
        self.reset()

    def _require_mig(self) -> None:
        if not (self.mig_capable and self.mode_current):
            raise DriverError(ErrorCode.NOT_SUPPORTED)

    def _held(self, gi_id: int, ci_id: int | None) -> bool:
        return not self.ignores_clients and any(
            client.gi_id == gi_id and (ci_id is None or client.ci_id in {None, ci_id}) for client in self.clients
        )

    def _lose_newest(self) -> None:
        newest, self._unseen = self._unseen, None
        if newest is None or newest not in self._instances:
            return
        if self.loses_newest:
            self._instances.remove(newest)
        if self.loses_compute:
            newest.compute_instances.clear()
