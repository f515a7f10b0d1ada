# ruff: noqa: N802 - the functions have the names of NVML
"""Library and driver: initialisation and versions."""

from __future__ import annotations

import pynvml

from conformance.sim.nvml.base import NvmlBase, nvml_call

ERROR_TEXTS = {
    pynvml.NVML_SUCCESS: "Success",
    pynvml.NVML_ERROR_UNINITIALIZED: "Uninitialized",
    pynvml.NVML_ERROR_INVALID_ARGUMENT: "Invalid Argument",
    pynvml.NVML_ERROR_NOT_SUPPORTED: "Not Supported",
    pynvml.NVML_ERROR_NO_PERMISSION: "Insufficient Permissions",
    pynvml.NVML_ERROR_NOT_FOUND: "Not Found",
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "Driver Not Loaded",
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "NVML Shared Library Not Found",
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND: "Function Not Found",
    pynvml.NVML_ERROR_GPU_IS_LOST: "GPU is lost",
    pynvml.NVML_ERROR_RESET_REQUIRED: "GPU requires reset",
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "Driver/library version mismatch",
    pynvml.NVML_ERROR_IN_USE: "In use by another client",
    pynvml.NVML_ERROR_INSUFFICIENT_RESOURCES: "Insufficient Resources",
}
"""Texts of `nvmlErrorString`, from driver 580.159.04."""


class SystemCalls(NvmlBase):
    """Functions without a device."""

    def nvmlInit(self) -> None:
        """Initialise the library.

        Raises:
            NVMLError: The hardware's `init_error`.
        """
        if self.hardware.init_error is not None:
            raise pynvml.NVMLError(self.hardware.init_error)
        self.initialised = True

    def nvmlInitWithFlags(self, flags: int) -> None:
        """Initialise the library; the flags have no effect."""
        del flags
        self.nvmlInit()

    @nvml_call
    def nvmlShutdown(self) -> None:
        """Close the library."""
        self.initialised = False

    def nvmlErrorString(self, result: int) -> str:
        """English text of a return code."""
        return ERROR_TEXTS.get(result, "Unknown Error")

    @nvml_call
    def nvmlSystemGetDriverVersion(self) -> str:
        """Version of the kernel driver, `580.159.04`."""
        return self.hardware.driver_version

    @nvml_call
    def nvmlSystemGetNVMLVersion(self) -> str:
        """Version of the library: CUDA's major number, then the driver's version."""
        return f"{self.hardware.cuda[0]}.{self.hardware.driver_version}"

    @nvml_call
    def nvmlSystemGetCudaDriverVersion(self) -> int:
        """Highest CUDA version of the driver in one number, 13000 for 13.0."""
        major, minor = self.hardware.cuda
        return major * 1000 + minor * 10

    def nvmlSystemGetCudaDriverVersion_v2(self) -> int:
        """The same."""
        return self.nvmlSystemGetCudaDriverVersion()
