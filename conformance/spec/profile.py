"""Names of MIG profiles: `1g.10gb`, `1c.3g.40gb`, `1g.10gb+me`, `1g.24gb-me`.

Source: go-nvlib 0.12.0, pkg/nvlib/device/mig_profile.go, as vendored by NVIDIA/mig-parted v0.15.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from conformance.spec import names

_EXPECTED: Final = "expected [<C>c.]<G>g.<M>gb, then +attribute[,...] or -attribute[,...]"
_ATTRIBUTE: Final = re.compile(r"[a-zA-Z](?:[a-zA-Z0-9.]*[a-zA-Z0-9])?")
_NUMBER: Final = re.compile(r"0*([0-9]{1,19})")
_LARGEST: Final = 2**63 - 1
"""Largest value of Go's type `int`."""
_UNITS: Final = {2: ("g", "gb"), 3: ("c", "g", "gb")}


class ProfileError(ValueError):
    """The text is not a profile name; the message says what is wrong and shows the expected form."""


@dataclass(frozen=True, order=True)
class Profile:
    """The profile of a MIG device.

    Attributes:
        compute_slices: Compute slices of the compute instance: 1 in `1c.3g.40gb`.
        gpu_slices: Compute slices of the GPU instance: 3 in `1c.3g.40gb`.
        memory_gb: Memory of the GPU instance in GB, rounded: 40 in `1c.3g.40gb`; 0 on GPUs that use the host's memory.
        plus: Attributes after `+` in their order, such as `me`, `me.all`, `gfx`; empty for none.
        minus: Attributes after `-`, such as `me`; empty for none. A profile never has both plus and minus attributes.
    """

    compute_slices: int
    gpu_slices: int
    memory_gb: int
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()

    @classmethod
    @lru_cache
    def parse(cls, text: str) -> Profile:
        """Parse a name as NVML, nvidia-smi and mig-parted spell it.

        Only the form is checked: `0g.0gb+word` is accepted although no GPU offers it.

        Raises:
            ProfileError: `text` is malformed; upper-case units and spaces are not allowed.
        """
        try:
            return cls(*_split(text))
        except ProfileError as error:
            raise ProfileError(f"{error} ({_EXPECTED})") from None

    def __str__(self) -> str:
        compute = "" if self.is_full else f"{self.compute_slices}c."
        plus = "+" + ",".join(self.plus) if self.plus else ""
        minus = "-" + ",".join(self.minus) if self.minus else ""
        return f"{compute}{self.gpu_slices}g.{self.memory_gb}gb{plus}{minus}"

    @property
    def is_full(self) -> bool:
        """Whether the compute instance has all slices of its GPU instance."""
        return self.compute_slices == self.gpu_slices

    @property
    def base(self) -> Profile:
        """The profile with the same slices and memory, but without attributes."""
        return replace(self, plus=(), minus=())

    @property
    def suffix(self) -> str:
        """The name as part of resource, label and configuration names: `+` is written as `.`, `-` is kept."""
        return str(self).replace("+", ".")

    @property
    def resource(self) -> str:
        """Extended resource under `mixed`, such as `nvidia.com/mig-1g.10gb.me`.

        From device plugin v0.20.0, only profiles that are `is_full` are advertised.
        Source: NVIDIA/k8s-device-plugin v0.20.0, internal/rm/rm.go.
        """
        return names.MIG_RESOURCE_PREFIX + self.suffix

    @property
    def label_prefix(self) -> str:
        """Prefix of the node labels under `mixed`; a dot and the rest of the name follow."""
        return self.resource


def _split(text: str) -> tuple[int, int, int, tuple[str, ...], tuple[str, ...]]:
    if not text:
        raise ProfileError("profile is the empty string")
    if "+" in text and "-" in text:
        raise ProfileError(f"profile '{text}' contains attributes of both signs")
    sign = "+" if "+" in text else "-"
    fields, found, attributes = text.partition(sign)
    compute, gpu, memory = _fields(text, fields)
    words = _attributes(text, attributes) if found else ()
    return (compute, gpu, memory, words, ()) if sign == "+" else (compute, gpu, memory, (), words)


def _fields(text: str, fields: str) -> tuple[int, int, int]:
    parts = fields.split(".", 2)
    if (units := _UNITS.get(len(parts))) is None:
        raise ProfileError(f"cannot parse fields of '{text}': {len(parts)} of 2 or 3 fields")
    numbers = [_number(text, part, unit) for part, unit in zip(parts, units, strict=True)]
    compute, gpu, memory = numbers if len(numbers) == 3 else (numbers[0], *numbers)
    return compute, gpu, memory


def _number(text: str, part: str, unit: str) -> int:
    if not part.endswith(unit):
        raise ProfileError(f"cannot parse fields of '{text}': missing '{unit}' from '%d{unit}'")
    digits = part.removesuffix(unit)
    number = _NUMBER.fullmatch(digits)
    if number is None or int(number[1]) > _LARGEST:
        raise ProfileError(f"cannot parse fields of '{text}': malformed number in '%d{unit}'")
    return int(number[1])


def _attributes(text: str, listed: str) -> tuple[str, ...]:
    words = tuple(listed.split(","))
    for word in words:
        if not _ATTRIBUTE.fullmatch(word):
            raise ProfileError(f"cannot parse attributes of '{text}': malformed attribute '{word}'")
    if len(set(words)) < len(words):
        raise ProfileError(f"cannot parse attributes of '{text}': an attribute is given twice")
    return words
