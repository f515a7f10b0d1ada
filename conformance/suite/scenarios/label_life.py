"""Scenarios: the label `mig.config` is removed, emptied, repeated, and changed while mig-manager is at work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from conformance.expect.node import ExpectedNode
from conformance.expect.transitions import GO
from conformance.expect.trial import Trial
from conformance.spec.names import MIG_CONFIG, MIG_CONFIG_STATE
from conformance.spec.releases import at_least
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import FailureScenario, Needs
from conformance.suite.scenarios.unknown_name import UNKNOWN_NAME
from conformance.suite.trials import TrialWatch, attempt, recover


@dataclass(frozen=True)
class IdleLabel:
    """What came of changes of the label while mig-manager was idle.

    Attributes:
        refused: A name that does not exist was requested.
        repeated: The same name was set again, and the state label was removed, which is an update of the node.
        recovery: The configuration of the cell was requested then.
        removed: The label was removed.
        set_again: Then it was set to what it had been.
        emptied: The label was set to the empty text.
        back: The configuration of the cell was requested at the end.
    """

    refused: Trial
    repeated: Trial
    recovery: Trial
    removed: Trial
    set_again: Trial
    emptied: Trial
    back: Trial


class TouchLabelWhileIdle(FailureScenario[None, IdleLabel]):
    """Removes, empties and repeats the label, and watches that mig-manager does nothing."""

    summary: ClassVar = "remove, empty and repeat the label while mig-manager is idle"
    cost: ClassVar = 50.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> IdleLabel:
        """Change the label, and watch after each change."""
        del started
        refused = attempt(node, UNKNOWN_NAME)
        repeated = _ignored(node, UNKNOWN_NAME, {MIG_CONFIG_STATE: None})
        recovery = recover(node)
        removed = _ignored(node, None)
        set_again = recover(node)
        emptied = _ignored(node, "")
        return IdleLabel(refused, repeated, recovery, removed, set_again, emptied, recover(node))


@dataclass(frozen=True)
class BusyLabel:
    """What came of changes of the label while mig-manager was changing the GPUs.

    Attributes:
        other: What the node must show in the configuration that was requested first.
        removed: The label was removed meanwhile.
        changed_twice: The configuration of the cell was requested, and meanwhile first a name that does not exist, and
            then `other` again.
        recovery: The configuration of the cell was requested at the end.
    """

    other: ExpectedNode
    removed: Trial
    changed_twice: Trial
    recovery: Trial


class ChangeLabelDuringRun(FailureScenario[None, BusyLabel]):
    """Removes and changes the label while mig-manager waits for the device plugin's pod, which is kept meanwhile."""

    summary: ClassVar = "remove and change the label while mig-manager changes the GPUs"
    needs: ClassVar = Needs(devices=1, configurations=2)
    changes: ClassVar = ("a finalizer on the device plugin's pod, for as long as a change of the label takes",)
    cost: ClassVar = 45.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> BusyLabel:
        """Change the label in the middle of two runs, then go back to the cell."""
        del started
        name = node.other_configuration
        removed, other = self._meanwhile(node, name, (None,))
        changed_twice, _ = self._meanwhile(node, node.cell.configuration, (UNKNOWN_NAME, name))
        return BusyLabel(other, removed, changed_twice, recover(node))

    def _meanwhile(self, node: NodeInCell, first: str, later: Sequence[str | None]) -> tuple[Trial, ExpectedNode]:
        """Request a configuration, and write the later values while it is being applied."""
        cluster, watch = node.cluster, TrialWatch(node)
        with watch.held_up(first) as plugin:
            watch.await_end_of(plugin)
            for value in later:
                cluster.set_labels(node.name, {MIG_CONFIG: value})
        # The script before v0.13.0 gives no answer to a label that is gone.
        watch.await_answers(2 if later[-1] or at_least(node.expected.mig_manager, GO) else 1)
        last = later[-1] or first
        expected = node.expected.asked_for(last, watch.before.gpus, node.target.entries(last))
        return watch.trial(first, resources=expected.resources), expected


def _ignored(node: NodeInCell, value: str | None, more: Mapping[str, None] = MappingProxyType({})) -> Trial:
    """Write the label, and remove further labels in the same patch; watch for `limits.idle`."""
    watch = TrialWatch(node)
    node.cluster.set_labels(node.name, {MIG_CONFIG: value, **more})
    watch.watch_idle()
    return watch.trial(value or "")
