"""What the driver answers when it refuses something."""

from __future__ import annotations

from enum import IntEnum


class ErrorCode(IntEnum):
    """Return codes of NVML that the simulated driver uses; numbers from nvml.h (nvmlReturn_t)."""

    INVALID_ARGUMENT = 2
    NOT_SUPPORTED = 3
    NO_PERMISSION = 4
    NOT_FOUND = 6
    IN_USE = 19
    INSUFFICIENT_RESOURCES = 23


class DriverError(Exception):
    """A refused request; `code` is what NVML returns for it."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.name)
        self.code = code


class ResetRefusedError(Exception):
    """No GPU was reset because processes hold some of them; `busy` has the PCI bus ids of those, in index order."""

    def __init__(self, busy: tuple[str, ...]) -> None:
        super().__init__(", ".join(busy))
        self.busy = busy


class ResetUnsupportedError(Exception):
    """The node cannot reset GPUs; only a reboot applies a pending mode."""
