"""The context of a mig-manager process: settings, node, and the tools that it calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import yaml

from conformance.sim import mig_parted, nvidia_smi
from conformance.sim.container import Container
from conformance.sim.mig_manager.settings import HOST_MOUNT, Behaviour, Settings
from conformance.sim.mig_parted.gpus import gpus_of_node
from conformance.sim.mig_parted.output import log_line
from conformance.sim.nvml import Nvml

_MISSING: Final = "no such file or directory"


class StepError(Exception):
    """A step failed: the run ends in the state `failed`. The text follows `Error: ` in the log."""


class StuckError(StepError):
    """A step failed that up to v0.15.0 changes no label: the state stays `pending` and the operands stay paused."""


class _WithoutLastGpu(Nvml):
    """NVML in which the last GPU of the node is missing."""

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802 - named as in pynvml
        return super().nvmlDeviceGetCount() - 1


class Process:
    """A process of mig-manager, from start to exit.

    Attributes:
        container: Its container.
        settings: Its settings, from the environment.
        behaviour: The behaviour of its version.
        read_file: Returns the content of a file, mounted or generated; None if there is none.
        operands_resumed: Whether a run of this process has succeeded. After that, a run that fails leaves the operands
            paused.
        refused: Whether the last run refused its configuration; only a fault looks at it.
        failed: Whether the last change of the GPUs failed; only a fault looks at it.
        changed: Whether the last run ended in `success` after it had stopped the operands; only a fault looks at it.
        stuck: Whether it once gave up waiting for a pod; only a fault looks at it.
        is_new: Whether it has not finished a run yet.
    """

    def __init__(self, container: Container, read_file: Callable[[str], str | None]) -> None:
        self.container = container
        self.settings = Settings.read(container.env)
        self.behaviour = Behaviour.of(container.version)
        self.read_file = read_file
        self.operands_resumed = False
        self.refused = False
        self.failed = False
        self.changed = False
        self.stuck = False
        self.is_new = True

    def log(self, text: str, level: str = "info") -> None:
        """Write a log line."""
        self.container.log(log_line(level, text))

    def tell(self, text: str) -> None:
        """Log the progress of a step, which the script prints without log format."""
        if self.behaviour.script:
            self.container.log(text.rstrip("\n"))
        else:
            self.log(text)

    def fault(self, name: str) -> bool:
        """Return whether a fault is switched on."""
        return self.container.node.faults.on(name)

    def mig_parted(self, *arguments: str) -> bool:
        """Run nvidia-mig-parted with its output in the log; return whether it succeeded."""
        if "apply" in arguments and self.fault("mig-manager-applies-nothing"):
            return True
        nvml = self.nvml(all_gpus="apply" not in arguments or not self.fault("mig-manager-forgets-last-gpu"))
        subsystems = self.behaviour.subsystem_filters
        result = mig_parted.run(arguments, nvml, self.smi, self.read_file, subsystem_filters=subsystems)
        for line in (*result.stderr, *result.stdout):
            if not (line in result.stderr and self.fault("mig-manager-hides-reasons")):
                self.container.log(line)
        return result.rc == 0

    def wipe(self) -> None:
        """Destroy all instances of the node (the fault `mig-manager-wipes-on-refusal`)."""
        with gpus_of_node(self.nvml()) as gpus:
            for gpu in gpus:
                gpu.clear()

    def nvml(self, *, all_gpus: bool = True) -> Nvml:
        """Return NVML as the container sees it, with all GPUs or without the last one."""
        face = Nvml if all_gpus else _WithoutLastGpu
        return face(self.container.node.hardware)

    def smi(self, arguments: Sequence[str]) -> tuple[int, str]:
        """Run nvidia-smi; return exit code and output."""
        return nvidia_smi.run(arguments, self.container.node.hardware)

    def check(self) -> None:
        """Check what a run needs of the host.

        Raises:
            StepError: The file with the host's GPU clients is missing or invalid, or systemd cannot be reached.
        """
        path = self.settings.clients_file
        if path:
            text = self.read_file(path)
            if text is None:
                raise StepError(f"error parsing host's GPU clients file: read error: open {path}: {_MISSING}")
            try:
                yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise StepError(f"error parsing host's GPU clients file: unmarshal error: {error}") from error
        if self.settings.host_mount != HOST_MOUNT and not self.behaviour.script:
            socket = f"{self.settings.host_mount}/run/dbus/system_bus_socket"
            raise StepError(
                "error creating reconfigure instance: failed to initialize systemd manager: "
                f"failed to connect to systemd D-Bus: dial unix {socket}: connect: {_MISSING}"
            )
