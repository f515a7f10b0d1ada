"""Names of MIG profiles: `1g.10gb`, `1c.3g.40gb`, `1g.10gb+me`, `1g.24gb-me`.

Source: go-nvlib 0.12.0, pkg/nvlib/device/mig_profile.go, as vendored by NVIDIA/mig-parted v0.15.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from conformance.spec import names

_EXPECTED: Final = "expected [<C>c.]<G>g.<M>gb, then +attribute[,...] or -attribute[,...]"
_ATTRIBUTE: Final = re.compile(r"[a-zA-Z](?:[a-zA-Z0-9.]*[a-zA-Z0-9])?")
_UNITS: Final = {2: ("g", "gb"), 3: ("c", "g", "gb")}


class ProfileError(ValueError):
    """A text is no profile name; the message says what is wrong and which form is expected."""


@dataclass(frozen=True, order=True)
class Profile:
    """One kind of MIG device.

    Attributes:
        compute_slices: Compute slices of the compute instance, the `1c` of `1c.3g.40gb`.
        gpu_slices: Compute slices of the GPU instance, the `3g`.
        memory_gb: Memory of the GPU instance in rounded GB, the `40gb`; 0 on GPUs without memory of their own.
        plus: Attributes after `+` in their order, such as `me`, `me.all`, `gfx`; empty for none.
        minus: Attributes after `-`; a profile has attributes of one sign only.
    """

    compute_slices: int
    gpu_slices: int
    memory_gb: int
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Profile:
        """Read a name as NVML, nvidia-smi and mig-parted spell it.

        A well-formed name need not exist on any GPU: `0g.0gb+word` is accepted.

        Raises:
            ProfileError: `text` is malformed; upper case and blanks are.
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
        """Whether the compute instance fills its GPU instance; only such profiles are resources under `mixed`."""
        return self.compute_slices == self.gpu_slices

    @property
    def base(self) -> Profile:
        """The same slices and memory without attributes."""
        return replace(self, plus=(), minus=())

    @property
    def suffix(self) -> str:
        """The spelling in resource, label and configuration names: `+` becomes `.`, `-` stays."""
        return str(self).replace("+", ".")

    @property
    def resource(self) -> str:
        """Extended resource of such devices under `mixed`, like `nvidia.com/mig-1g.10gb.me`.

        Source: NVIDIA/k8s-device-plugin v0.20.0, internal/rm/rm.go.
        """
        return names.MIG_RESOURCE_PREFIX + self.suffix

    @property
    def label_prefix(self) -> str:
        """What the node labels of such devices begin with under `mixed`; a dot and the attribute follow."""
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
    if not (digits.isascii() and digits.isdigit()):
        raise ProfileError(f"cannot parse fields of '{text}': malformed number in '%d{unit}'")
    return int(digits)


def _attributes(text: str, listed: str) -> tuple[str, ...]:
    words = tuple(listed.split(","))
    for word in words:
        if not _ATTRIBUTE.fullmatch(word):
            raise ProfileError(f"cannot parse attributes of '{text}': malformed attribute '{word}'")
    if len(set(words)) < len(words):
        raise ProfileError(f"cannot parse attributes of '{text}': an attribute is given twice")
    return words
