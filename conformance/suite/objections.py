"""Why a case may not run on a node: permissions, needs, users, `--sample`, and what the case does not apply to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

from conformance.backends.backend import Permissions
from conformance.expect.kinds import GeometryKind
from conformance.spec.names import Strategy
from conformance.suite.case import CaseDeclaration
from conformance.suite.cells import CERTIFIED_STRATEGIES, Cell
from conformance.suite.scenario import AnyScenario, ClusterScenario, Effect
from conformance.suite.targets import Target

_SIMPLE: Final = (GeometryKind.OFF, GeometryKind.UNIFORM)
_READABLE_KINDS: Final[Mapping[Strategy, Sequence[GeometryKind]]] = {
    Strategy.SINGLE: _SIMPLE,
    Strategy.MIXED: (*_SIMPLE, GeometryKind.UNEVEN, GeometryKind.PARTIAL),
}
"""Kinds of geometry for which the labels of a node say how many GPUs it has, and the device plugin advertises them."""

_UNLIKE: Final = "labels describe one of several GPU models"
_COUNT_UNLIKE: Final = f"count the GPUs with a pod: {_UNLIKE}"


@dataclass(frozen=True)
class LeftOut:
    """Why a case does not run at one or more places.

    Attributes:
        reason: The reason, naming the option that would allow it if there is one.
        allowed: False if a permission is missing or the node is in use; True if the user narrowed the run.
    """

    reason: str
    allowed: bool = False


_ABOUT_DEVICES: Final = frozenset({"D-06", "D-07", "D-19", "D-20", "D-21", "D-26"})
"""Requirements about names, counts, labels and allocation of devices. Shared devices change what is right."""
_HIDDEN: Final = LeftOut(
    "does not apply: a ConfigMap of the user's own hides the built-in configurations, by design", allowed=True
)


@dataclass(frozen=True)
class Objections:
    """Decides why a case may not run on a node.

    Attributes:
        permissions: What the suite may do.
        strategy: Strategy of the cluster when the run began.
        found: Cell in which each node was found, by name; without the nodes whose state label is not `success`.
        sampled: Names of the nodes that `--sample` and the users of GPUs leave for changes.
        in_use: Reason by name for nodes that must not be changed because pods of other users hold GPUs.
        simulated: Whether the GPUs are simulated.
        unmanaged: Reason by name for nodes on which nobody applies configurations.
    """

    permissions: Permissions
    strategy: Strategy
    found: Mapping[str, Cell]
    sampled: Set[str]
    in_use: Mapping[str, str]
    simulated: bool
    unmanaged: Mapping[str, str]

    def may_change(self, name: str) -> bool:
        """Return whether the suite may change the geometry of a node."""
        return self.permissions.disruptive and name in self.sampled

    def in_cell(self, case: CaseDeclaration, target: Target, cell: Cell) -> LeftOut | None:
        """Return why a case may not run on a node in a cell; None if it may."""
        effect = case.scenario.effect
        if (unmanaged := self.unmanaged.get(target.name)) is not None:
            return LeftOut(unmanaged)
        if cell.strategy is not self.strategy and not self.permissions.cluster_wide:
            return LeftOut("needs --allow-cluster-wide, to change the strategy")
        if (missing := self._missing_permission(case.scenario)) is not None:
            return missing
        if case.scenario.needs.simulator and not self.simulated:
            return LeftOut("only a simulated cluster allows what this case does", allowed=True)
        if self.may_change(target.name):
            return None
        if self.found.get(target.name) != cell:
            return self._kept_from(target, "bring the node to other configurations")
        if effect is not Effect.READONLY:
            return self._kept_from(target, "start pods")
        if target.kinds[cell.configuration] not in _READABLE_KINDS[cell.strategy]:
            return self._kept_from(target, "count the GPUs with a pod: labels do not say how many there are")
        if target.unlike:
            return self._kept_from(target, _COUNT_UNLIKE)
        return None

    def as_found(self, case: CaseDeclaration, target: Target) -> LeftOut | None:
        """Return why a case may not look at a node in the state in which it was found; None if it may."""
        needs = case.scenario.needs
        if self.strategy not in CERTIFIED_STRATEGIES:
            return LeftOut(f"needs --allow-cluster-wide, to change the strategy: under {self.strategy} none is judged")
        if needs.execute and not self.permissions.execute:
            return LeftOut("needs --allow-exec, to list the devices in the driver pod")
        if needs.applied and (unmanaged := self.unmanaged.get(target.name)) is not None:
            return LeftOut(unmanaged)
        if needs.applied and target.name not in self.found:
            return LeftOut("needs a node whose state is success")
        if needs.counted and target.unlike:
            return self._kept_from(target, _COUNT_UNLIKE)
        return None

    def _missing_permission(self, scenario: AnyScenario) -> LeftOut | None:
        if scenario.effect is Effect.CLUSTER_WIDE and not self.permissions.cluster_wide:
            return LeftOut(f"needs --allow-cluster-wide, to {scenario.cluster_wide_to}")
        if isinstance(scenario, ClusterScenario) and not self.permissions.cluster_wide:
            return LeftOut("needs --allow-cluster-wide, to change the ClusterPolicy")
        if scenario.effect is Effect.REBOOT and not self.permissions.reboot:
            return LeftOut("needs --allow-reboot, to reboot nodes")
        return None

    def _kept_from(self, target: Target, purpose: str) -> LeftOut:
        if not self.permissions.disruptive:
            return LeftOut(f"needs --allow-disruptive, to {purpose}")
        if (used := self.in_use.get(target.name)) is not None:
            return LeftOut(used)
        return LeftOut(f"--sample leaves the node out, to {purpose} elsewhere", allowed=True)


def does_not_apply(case: CaseDeclaration, target: Target) -> LeftOut | None:
    """Return why a case is not for a node in any cell; None if it is."""
    if case.needs.built_in_configurations and target.source and not target.built_in:
        return _HIDDEN
    if target.sharing and case.requirements[0] in _ABOUT_DEVICES:
        return LeftOut(f"the suite does not judge shared devices: {target.sharing}", allowed=True)
    return None
