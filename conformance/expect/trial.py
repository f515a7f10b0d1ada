"""What a scenario did to a node, and what came of it: the evidence of `conformance.suite.trials`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from conformance.expect.histories import ResourceCount
from conformance.expect.label_changes import LabelChange
from conformance.expect.observed import ObservedGpu
from conformance.spec.names import MIG_CONFIG_STATE, State

RUNS_ON: Final = "runs on"
"""Fate of a pod that was neither deleted nor restarted."""
_RUN: Final = re.compile(r'Updating to MIG config: ?([^"]*)')
_FINAL: Final = (State.SUCCESS, State.FAILED)


@dataclass(frozen=True)
class NodeSnapshot:
    """A node at one moment.

    Attributes:
        labels: All labels.
        allocatable: Resources that pods may ask for.
        gpus: The GPUs as NVML describes them.
    """

    labels: Mapping[str, str]
    allocatable: Mapping[str, int]
    gpus: tuple[ObservedGpu, ...]


@dataclass(frozen=True)
class Trial:
    """Something that a scenario did to a node to see what comes of it, mostly a request for a configuration.

    Attributes:
        configuration: The requested configuration; empty if the label was removed or emptied.
        before: The node before it.
        after: The node when mig-manager had answered and the operands were back, or when the suite stopped waiting.
        labels_when_asked: All labels when mig-manager saw the request: as before, without the state label.
        resumed_before: Whether mig-manager's process had already brought a change to `success`.
        label_changes: Changes of labels, without those that the suite wrote.
        resource_changes: Changes of allocatable and capacity.
        operands: What became of each operand's pod of before, by app: `RUNS_ON`, `restarted`, `gone`, `replaced`.
        users: The same for the bystander pod, by name; empty if there is none.
        manager_log: What mig-manager logged.
        reason: Its last error messages in one line; empty if it logged none.
        seconds: From the request to `success` or `failed`, by the cluster's clock; None without such an answer.
        holders: Who may have kept GPUs busy, a line each; empty if the reason is another one.
    """

    configuration: str
    before: NodeSnapshot
    after: NodeSnapshot
    labels_when_asked: Mapping[str, str]
    resumed_before: bool
    label_changes: tuple[LabelChange, ...]
    resource_changes: tuple[ResourceCount, ...]
    operands: Mapping[str, str]
    users: Mapping[str, str]
    manager_log: tuple[str, ...]
    reason: str
    seconds: float | None
    holders: tuple[str, ...] = ()

    @property
    def states(self) -> tuple[str, ...]:
        """Values that the state label took, in order."""
        return tuple(change.set[MIG_CONFIG_STATE] for change in self.label_changes if MIG_CONFIG_STATE in change.set)

    @property
    def runs(self) -> tuple[str, ...]:
        """Configurations that mig-manager's log says it began to apply, in order; an empty name is that of no label."""
        return tuple(found[1] for line in self.manager_log if (found := _RUN.search(line)))

    @property
    def answer(self) -> str | None:
        """The last `success` or `failed`; None without such an answer."""
        return next((state for state in reversed(self.states) if state in _FINAL), None)


@dataclass(frozen=True)
class Refusal:
    """A request that cannot be met, and the next one, which can.

    Attributes:
        trial: The request that cannot be met.
        recovery: The request for the configuration of the cell that follows it.
    """

    trial: Trial
    recovery: Trial
