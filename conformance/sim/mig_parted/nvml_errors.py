"""Errors of NVML, as mig-parted tells them apart and prints them."""

from __future__ import annotations

from collections.abc import Mapping

import pynvml

_ERROR_NAMES: Mapping[int, str] = {
    value: name.removeprefix("NVML_")
    for name, value in vars(pynvml).items()
    if name.startswith("NVML_ERROR_") and isinstance(value, int)
}

UNKNOWN_PROFILE = (pynvml.NVMLError_NotSupported, pynvml.NVMLError_InvalidArgument)
"""What NVML answers for a profile that the GPU does not have, and for one that the driver does not know."""


def error_name(error: pynvml.NVMLError) -> str:
    """Return an NVML error as go-nvml prints it once the library is closed: `ERROR_IN_USE`."""
    return _ERROR_NAMES.get(error.value, f"unknown return value: {error.value}")
