"""Changes of node labels: those that a watch saw, those that mig-manager must make, and the text that compares both."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from conformance.spec.names import DEPLOY_PREFIX, MIG_CONFIG_STATE, PREFIX


class LabelChange(Protocol):
    """What one watch event changed in the labels of a node; `conformance.cluster.changes` has the implementation."""

    @property
    def time(self) -> float:
        """When the suite saw the event, in seconds of the cluster's clock."""

    @property
    def set(self) -> Mapping[str, str]:
        """Labels that were added or have a new value."""

    @property
    def removed(self) -> Sequence[str]:
        """Names of the labels that were removed."""


@dataclass(frozen=True)
class ExpectedChange:
    """One label change that mig-manager must make.

    Attributes:
        labels: Label name to its new value; never empty.
    """

    labels: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return describe(self.labels)


def changes_of_mig_manager(changes: Sequence[LabelChange]) -> list[ExpectedChange]:
    """Reduce label changes to the values that they set on the state label and the deploy labels, in order.

    The result includes the deploy labels that mig-manager must not touch, such as those of driver and toolkit, so that
    a check notices when it does.

    Removed labels are ignored: mig-manager removes none, and the suite itself removes the state label before it
    requests a configuration.
    """
    reduced = [{key: value for key, value in change.set.items() if _is_compared(key)} for change in changes]
    return [ExpectedChange(labels) for labels in reduced if labels]


def describe(labels: Mapping[str, str]) -> str:
    """Return the labels in one line, without prefixes; deploy labels with the same value are grouped."""
    by_value: dict[str, list[str]] = {}
    for key in sorted(filter(is_deploy_label, labels)):
        by_value.setdefault(labels[key], []).append(key.removeprefix(DEPLOY_PREFIX))
    deploy = [f"gpu.deploy.{{{','.join(operands)}}}={value}" for value, operands in sorted(by_value.items())]
    others = [
        f"{key.removeprefix(PREFIX)}={labels[key]}" for key in sorted(itertools.filterfalse(is_deploy_label, labels))
    ]
    return "; ".join([*others, *deploy])


def is_deploy_label(name: str) -> bool:
    """Return whether the label is a deploy label, `nvidia.com/gpu.deploy.*`."""
    return name.startswith(DEPLOY_PREFIX)


def _is_compared(name: str) -> bool:
    return is_deploy_label(name) or name == MIG_CONFIG_STATE
