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
    def version(self) -> str:
        """The node's resourceVersion after the event."""

    @property
    def set(self) -> Mapping[str, str]:
        """Labels that were added or have a new value."""

    @property
    def removed(self) -> Sequence[str]:
        """Names of the labels that were removed."""


@dataclass(frozen=True)
class ExpectedChange:
    """One label change of mig-manager.

    Attributes:
        labels: Label name to its new value, None for a label that is removed; never empty. mig-manager must remove
            none.
    """

    labels: Mapping[str, str | None] = field(default_factory=dict)

    def __str__(self) -> str:
        return describe(self.labels)


def changes_of_mig_manager(changes: Sequence[LabelChange]) -> list[ExpectedChange]:
    """Reduce label changes to what they do to the state label and the deploy labels, in order.

    The result includes the deploy labels that mig-manager must not touch, such as those of driver and toolkit, and
    labels that are removed, so that a check notices them. The changes must not contain the suite's own: it removes the
    state label before it requests a configuration.
    """
    return [ExpectedChange(labels) for change in changes if (labels := touched(change))]


def touched(change: LabelChange) -> dict[str, str | None]:
    """Return the new value of the state label and of the deploy labels that changed; None for a removed one."""
    gone: dict[str, str | None] = dict.fromkeys(change.removed)
    return {key: value for key, value in (gone | dict(change.set)).items() if _is_compared(key)}


def describe(labels: Mapping[str, str | None]) -> str:
    """Return the labels in one line, without prefixes; deploy labels with the same value are grouped."""
    by_value: dict[str | None, list[str]] = {}
    for key in sorted(filter(is_deploy_label, labels)):
        by_value.setdefault(labels[key], []).append(key.removeprefix(DEPLOY_PREFIX))
    deploy = [_assignment(f"gpu.deploy.{{{','.join(names)}}}", value) for value, names in by_value.items()]
    others = [
        _assignment(key.removeprefix(PREFIX), labels[key])
        for key in sorted(itertools.filterfalse(is_deploy_label, labels))
    ]
    return "; ".join([*others, *sorted(deploy, key=lambda text: text.rpartition("=")[2])])


def _assignment(name: str, value: str | None) -> str:
    return f"{name} removed" if value is None else f"{name}={value}"


def is_deploy_label(name: str) -> bool:
    """Return whether the label is a deploy label, `nvidia.com/gpu.deploy.*`."""
    return name.startswith(DEPLOY_PREFIX)


def _is_compared(name: str) -> bool:
    return is_deploy_label(name) or name == MIG_CONFIG_STATE
