"""Keeps a CUDA context on the first device of its container until SIGTERM, as a process that computes does.

It runs in pods. It needs Python and the CUDA driver library, which the container runtime mounts; no toolkit. On success
it prints `holding` and the UUID of the device; otherwise it says which call failed and ends with exit status 1.

Source: CUDA Driver API reference, cuInit, cuDeviceGetUuid_v2 and cuDevicePrimaryCtxRetain.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import uuid

LIBRARY = "libcuda.so.1"


class CudaError(Exception):
    """A call of the driver failed; the message names call and error number."""


def hold(cuda: ctypes.CDLL) -> str:
    """Retain the primary context of device 0, and return the UUID of the device.

    Raises:
        CudaError: A call failed; error 100 means that there is no device.
    """
    device, context, raw = ctypes.c_int(), ctypes.c_void_p(), (ctypes.c_ubyte * 16)()
    _call(cuda, "cuInit", 0)
    _call(cuda, "cuDeviceGet", ctypes.byref(device), 0)
    _call(cuda, "cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    _call(cuda, "cuDeviceGetUuid_v2", ctypes.byref(raw), device)  # of the MIG device, if it is one
    return str(uuid.UUID(bytes=bytes(raw)))


def _call(cuda: ctypes.CDLL, name: str, *arguments: object) -> None:
    error = getattr(cuda, name)(*arguments)
    if error:
        raise CudaError(f"{name} failed with error {error}")


def main() -> int:
    """Hold the device until SIGTERM."""
    # The first process of a container ignores signals that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        sys.stdout.write(f"holding {hold(ctypes.CDLL(LIBRARY))}\n")
        sys.stdout.flush()
    except (CudaError, OSError) as error:
        sys.stdout.write(f"{error}\n")
        return 1
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
