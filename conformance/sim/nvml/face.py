"""The whole library: all simulated functions, and the constants and types of `pynvml`."""

from __future__ import annotations

from typing import Any, NoReturn

import pynvml

from conformance.sim.nvml.compute_instances import ComputeInstanceCalls
from conformance.sim.nvml.devices import DeviceCalls
from conformance.sim.nvml.gpu_instances import GpuInstanceCalls
from conformance.sim.nvml.mig_devices import MigDeviceCalls
from conformance.sim.nvml.system import SystemCalls


class Nvml(SystemCalls, DeviceCalls, MigDeviceCalls, GpuInstanceCalls, ComputeInstanceCalls):
    """Replaces the module `pynvml`: same names, arguments, results and errors.

    A function that is not simulated raises `NVMLError_FunctionNotFound`, as with a driver that is too old for it. The
    real library is never called.
    """

    def __getattr__(self, name: str) -> Any:
        """Return constants, structures and errors of `pynvml`; an unknown name raises AttributeError."""
        value = getattr(pynvml, name)
        if name.startswith("nvml") and callable(value) and not isinstance(value, type):
            return _missing
        return value


def _missing(*_args: object, **_kwargs: object) -> NoReturn:
    raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
