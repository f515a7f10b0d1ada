"""What the subcommands of nvidia-smi share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from conformance.sim.hardware import Gpu
from conformance.sim.nvml import Nvml

Answer: TypeAlias = tuple[int, str]
"""Exit code and output. If an NVML call failed, the exit code is that of NVML."""


class UsageError(Exception):
    """Invalid arguments; the text is the message of nvidia-smi, `code` its exit code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class View:
    """The GPUs that the command applies to.

    Attributes:
        nvml: The library, initialised.
        gpus: Index, as the process counts, and GPU.
    """

    nvml: Nvml
    gpus: list[tuple[int, Gpu]]

    def handle(self, index: int) -> Any:
        """Return the handle of the GPU with that index."""
        return self.nvml.nvmlDeviceGetHandleByIndex(index)

    def mig_handles(self, index: int) -> list[Any]:
        """Return the handles of the MIG devices below the GPU with that index, in order."""
        parent = self.handle(index)
        count = len(self.nvml.mig_devices(self.nvml.gpu_of(parent)))
        return [self.nvml.nvmlDeviceGetMigDeviceHandleByIndex(parent, device) for device in range(count)]

    @property
    def mig_enabled(self) -> list[tuple[int, Gpu]]:
        """The GPUs with MIG mode enabled."""
        return [(index, gpu) for index, gpu in self.gpus if gpu.mig_capable and gpu.mode_current]
