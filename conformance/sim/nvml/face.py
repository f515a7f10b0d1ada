"""The whole face: every function that is simulated, and the constants and types of `pynvml` itself."""

from __future__ import annotations

from typing import Any, NoReturn

import pynvml

from conformance.sim.nvml.compute_instances import ComputeInstanceCalls
from conformance.sim.nvml.devices import DeviceCalls
from conformance.sim.nvml.gpu_instances import GpuInstanceCalls
from conformance.sim.nvml.mig_devices import MigDeviceCalls
from conformance.sim.nvml.system import SystemCalls


class Nvml(SystemCalls, DeviceCalls, MigDeviceCalls, GpuInstanceCalls, ComputeInstanceCalls):
    """Stands in for the module `pynvml`: same names, arguments, results and errors.

    What is not simulated fails with `NVMLError_FunctionNotFound`, as a function does that the installed driver is too
    old for; it never reaches a real library.
    """

    def __getattr__(self, name: str) -> Any:
        """Constants, structures and errors come from `pynvml`; an unknown name raises AttributeError as there."""
        value = getattr(pynvml, name)
        if name.startswith("nvml") and callable(value) and not isinstance(value, type):
            return _missing
        return value


def _missing(*_args: object, **_kwargs: object) -> NoReturn:
    raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
