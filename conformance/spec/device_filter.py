"""Device filters of a mig-parted configuration: the ids of GPUs that an entry is for.

Source: NVIDIA/mig-parted v0.15.0, pkg/types/device.go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_NUMBER: Final = re.compile(
    r"0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|(?P<octal>0(?:_?[0-7])+)|0|[1-9](?:_?[0-9])*"
)
"""Numbers without a sign as Go's `strconv.ParseUint(text, 0, 32)` reads them."""
_IDS: Final = range(2**32)


@dataclass(frozen=True)
class DeviceFilter:
    """A filter that can match a GPU.

    Attributes:
        device: PCI device and vendor id in one word.
        subsystem: PCI subsystem and vendor id in one word; None if the filter does not name one.
    """

    device: int
    subsystem: int | None = None


def parse_filter(text: str) -> DeviceFilter | None:
    """Return the ids in `0x<device><vendor>` or `0x<device><vendor>:0x<subsystem>`; None if the text is neither.

    mig-parted accepts every text, such as the name of a GPU: a filter without ids matches no GPU.
    """
    numbers = [_number(part) for part in text.split(":")]
    known = [number for number in numbers if number is not None]
    return DeviceFilter(*known) if len(known) == len(numbers) <= 2 else None


def _number(text: str) -> int | None:
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    value = int(text, 8 if found["octal"] else 0)
    return value if value in _IDS else None
