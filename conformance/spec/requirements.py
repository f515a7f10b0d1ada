"""The documented behaviour that the suite certifies, D-01 to D-28, and what others require; both are YAML files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from conformance.spec.package_data import read_yaml


@dataclass(frozen=True)
class Requirement:
    """One promise or failure mode of the documentation.

    Attributes:
        id: `D-01` to `D-28`.
        title: Short name for tables.
        statement: What must hold. If the components behave differently from the documentation, their behaviour counts.
        level: `core` requirements decide on the certificate: what a healthy cluster shows as long as nothing fails.
            `extended` requirements are about failures, reboots, live changes of the cluster and special platforms.
        source: Section of the documentation, and the source code that it was checked against.
    """

    id: str
    title: str
    statement: str
    level: Literal["core", "extended"]
    source: str


@dataclass(frozen=True)
class Related:
    """A requirement of another programme that asks for what some of ours ask for.

    Attributes:
        id: Its id there.
        title: Short name.
        source: Where it stands.
        requirements: Ids of our requirements that concern it.
    """

    id: str
    title: str
    source: str
    requirements: tuple[str, ...]


def _load() -> Mapping[str, Requirement]:
    rows = [Requirement(**row) for row in read_yaml("requirements.yaml")["requirements"]]
    return MappingProxyType({row.id: row for row in rows})


def _related() -> tuple[Related, ...]:
    rows = read_yaml("related.yaml")["related"]
    return tuple(Related(**row | {"requirements": tuple(row["requirements"])}) for row in rows)


REQUIREMENTS: Final = _load()
"""All requirements by id, in the order of their ids."""
RELATED: Final = _related()
"""Requirements of other programmes; rows of related.yaml."""
