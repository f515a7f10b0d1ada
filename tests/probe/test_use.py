"""The program that tries what a process can do, on a driver that answers as told."""

from __future__ import annotations

from typing import Any, cast

import pytest

from conformance.probe.use import MIB, CudaError, use


class Cuda:
    """A CUDA driver with two devices; calls named in `errors` fail."""

    def __init__(self, *, linked: bool = False, free: int = 1000 * MIB, **errors: int) -> None:
        self.free, self.errors = free, errors
        self.numbers = {"cuDeviceGetCount": 2, "cuDeviceTotalMem_v2": 1000 * MIB, "cuDeviceCanAccessPeer": int(linked)}

    def __getattr__(self, name: str) -> Any:
        def answer(*arguments: Any) -> int:
            if name in self.numbers:
                arguments[0]._obj.value = self.numbers[name]
            if name == "cuMemAlloc_v2" and arguments[1].value > self.free:
                return 2
            return self.errors.get(name, 0)

        return answer


def tried(cuda: Cuda) -> dict[str, Any]:
    return use(cast("Any", cuda))


def test_memory_beyond_the_device_is_refused_and_some_is_granted() -> None:
    found = tried(Cuda())

    assert [(one["memory_mib"], one["too_much"], one["fits"]) for one in found["devices"]] == [(1000, 2, 0)] * 2
    assert found["peers"] == []


def test_what_the_driver_grants_is_told() -> None:
    found = tried(Cuda(linked=True, free=2000 * MIB))

    assert [one["too_much"] for one in found["devices"]] == [0, 0]
    assert found["peers"] == [[0, 1], [1, 0]]


def test_a_call_that_fails_is_named() -> None:
    with pytest.raises(CudaError, match="cuInit failed with error 100"):
        tried(Cuda(cuInit=100))
