"""The program that keeps a device busy, with a CUDA driver library of the test."""

from __future__ import annotations

import ctypes
import uuid
from typing import Any, cast

import pytest

from conformance.probe.hold import CudaError, hold

DEVICE = uuid.UUID("f3a1c6a0-7c1e-5a53-9f2b-0123456789ab")


class Cuda:
    """The calls of the library that the program makes."""

    def __init__(self, **errors: int) -> None:
        self.calls: list[str] = []
        self._errors = errors

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            self.calls.append(name)
            if name == "cuDeviceGetUuid_v2":
                ctypes.memmove(arguments[0]._obj, DEVICE.bytes, 16)
            return self._errors.get(name, 0)

        return call


def test_it_retains_the_context_of_the_first_device() -> None:
    cuda = Cuda()

    assert hold(cast("ctypes.CDLL", cuda)) == str(DEVICE)
    assert cuda.calls == ["cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain", "cuDeviceGetUuid_v2"]


def test_a_call_that_fails_is_named() -> None:
    with pytest.raises(CudaError, match="cuInit failed with error 100"):
        hold(cast("ctypes.CDLL", Cuda(cuInit=100)))
