"""Faults: defects that can be switched on by name, each in one component.

A fault proves that a case can fail: with the fault switched on, the cases that tests/cases/faults.yaml lists for it
must fail, and no others. A component asks `faults.on(NAME)` at the one place of the defect; nothing else in the
simulator knows about faults.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from conformance.spec.package_data import read_yaml


@dataclass(frozen=True)
class Fault:
    """One defect.

    Attributes:
        name: Value for `--fault`.
        component: Part of the simulator that contains it.
        breaks: What an observer of the cluster sees, in one sentence.
        requirements: Requirements that it violates directly. Cases of other requirements can fail as a consequence;
            tests/cases/faults.yaml lists all of them.
        source: The issue in which it was seen, or the documented rule that it breaks.
    """

    name: str
    component: str
    breaks: str
    requirements: tuple[str, ...]
    source: str

    def __str__(self) -> str:
        """Return one line for a list: name, component, effect and requirements."""
        return f"{self.name:34} {self.component:18} {self.breaks} ({', '.join(self.requirements)})"


def _read() -> Iterator[Fault]:
    for component, faults in read_yaml("faults.yaml", "conformance.sim").items():
        for name, row in faults.items():
            yield Fault(name, component, row["breaks"], tuple(row["violates"]), row["source"])


FAULTS: Final = tuple(_read())
"""All faults, by component."""


class UnknownFaultError(ValueError):
    """There is no fault of this name; the message lists the known ones."""


class Faults:
    """The faults that are switched on.

    Args:
        names: Names of faults; none by default.

    Raises:
        UnknownFaultError: A name is not in `FAULTS`.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(names)
        known = {fault.name for fault in FAULTS}
        if unknown := sorted(self._names - known):
            raise UnknownFaultError(f"unknown fault {', '.join(unknown)}; there are: {', '.join(sorted(known))}")

    def on(self, name: str) -> bool:
        """Return whether a fault is switched on; the name must be in `FAULTS`."""
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))
