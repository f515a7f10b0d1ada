"""Errors of the driver."""

from __future__ import annotations

from enum import IntEnum


class ErrorCode(IntEnum):
    """NVML return codes of the simulated driver; values from nvml.h (nvmlReturn_t)."""

    INVALID_ARGUMENT = 2
    NOT_SUPPORTED = 3
    NO_PERMISSION = 4
    NOT_FOUND = 6
    IN_USE = 19
    INSUFFICIENT_RESOURCES = 23


class DriverError(Exception):
    """A request that the driver rejects; `code` is the return code of NVML."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.name)
        self.code = code


class ResetRefusedError(Exception):
    """No GPU was reset because processes use some of them; `busy` lists their PCI bus ids by index."""

    def __init__(self, busy: tuple[str, ...]) -> None:
        super().__init__(", ".join(busy))
        self.busy = busy


class ResetUnsupportedError(Exception):
    """The node cannot reset GPUs; only a reboot applies a pending mode."""
