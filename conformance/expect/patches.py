"""Patches of node labels as a watch shows them, and the readable form in which they are compared."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from conformance.spec.names import DEPLOY_PREFIX, MIG_CONFIG_STATE, PREFIX


class LabelPatch(Protocol):
    """What one event of the watch changed on a node; `cluster` records these."""

    @property
    def time(self) -> float:
        """When it was seen, in seconds of the cluster's clock."""

    @property
    def set(self) -> Mapping[str, str]:
        """Labels that are new or have a new value."""

    @property
    def removed(self) -> Sequence[str]:
        """Labels that are gone."""


@dataclass(frozen=True)
class Write:
    """One patch that mig-manager makes: label to value, never empty."""

    labels: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return describe(self.labels)


def writes_of_mig_manager(changes: Sequence[LabelPatch]) -> list[Write]:
    """Reduce changes to what they write of the state and deploy labels, in order.

    All deploy labels count, those too that mig-manager must leave alone: driver, toolkit, validator and others stay.
    Removals are left out: mig-manager removes nothing, and the suite itself removes the state before it asks for a
    configuration.
    """
    reduced = [{key: value for key, value in change.set.items() if _is_watched(key)} for change in changes]
    return [Write(labels) for labels in reduced if labels]


def describe(labels: Mapping[str, str]) -> str:
    """Write labels in one line: deploy labels of one value together, the prefix left off."""
    by_value: dict[str, list[str]] = {}
    for key in sorted(filter(is_deploy_label, labels)):
        by_value.setdefault(labels[key], []).append(key.removeprefix(DEPLOY_PREFIX))
    deploy = [f"gpu.deploy.{{{','.join(operands)}}}={value}" for value, operands in sorted(by_value.items())]
    others = [
        f"{key.removeprefix(PREFIX)}={labels[key]}" for key in sorted(itertools.filterfalse(is_deploy_label, labels))
    ]
    return "; ".join([*others, *deploy])


def is_deploy_label(name: str) -> bool:
    """Tell whether the label says that an operand is deployed on the node."""
    return name.startswith(DEPLOY_PREFIX)


def _is_watched(name: str) -> bool:
    return is_deploy_label(name) or name == MIG_CONFIG_STATE
