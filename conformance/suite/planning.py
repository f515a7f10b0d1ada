"""Decides where each case runs, in which order, and what is left out and why.

This module does not access the cluster. Places that are left out are only counted, by case and reason, so a large
cluster with few permissions does not create thousands of skipped cases.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from conformance.backends.backend import Permissions
from conformance.expect.kinds import GeometryKind
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import Strategy
from conformance.spec.profile import Profile
from conformance.suite.case import CaseDeclaration
from conformance.suite.cells import AS_FOUND, CERTIFIED_STRATEGIES, Cell, Spot, configuration_order, strategy_order
from conformance.suite.options import Options, RunProfile
from conformance.suite.scenario import AnyScenario, ClusterScenario, Effect, Moment
from conformance.suite.targets import Target

_SIMPLE: Final = (GeometryKind.OFF, GeometryKind.UNIFORM)
READABLE_KINDS: Final[Mapping[Strategy, Sequence[GeometryKind]]] = {
    Strategy.SINGLE: _SIMPLE,
    Strategy.MIXED: (*_SIMPLE, GeometryKind.UNEVEN, GeometryKind.PARTIAL),
}
"""Kinds of geometry for which the labels of a node say how many GPUs it has, and the device plugin advertises them."""

_UNLIKE: Final = "labels describe one of several GPU models"
_COUNT_UNLIKE: Final = f"count the GPUs with a pod: {_UNLIKE}"

Selected = tuple[CaseDeclaration, Spot]


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


@dataclass
class Planner:
    """Decides which nodes may be changed, and assigns every case its places.

    Attributes:
        targets: The nodes under test, by name.
        options: The options of the run.
        permissions: What the suite may do.
        strategy: Strategy of the cluster when the run began.
        found: Cell in which each node was found, by name; without the nodes whose state label is not `success`.
        in_use: Reason by name for nodes that must not be changed because pods of other users hold GPUs.
        simulated: Whether the GPUs are simulated.
        labelled: Value of the label `mig.config` by name, for nodes that have the label.
        unmanaged: Reason by name for nodes on which nobody applies configurations.
        left_out: Number of places at which each case was left out, by case and reason.
    """

    targets: Mapping[str, Target]
    options: Options
    permissions: Permissions
    strategy: Strategy
    found: Mapping[str, Cell]
    in_use: Mapping[str, str] = field(default_factory=dict)
    simulated: bool = False
    labelled: Mapping[str, str] = field(default_factory=dict)
    unmanaged: Mapping[str, str] = field(default_factory=dict)
    left_out: dict[CaseDeclaration, Counter[LeftOut]] = field(default_factory=lambda: defaultdict(Counter))

    def __post_init__(self) -> None:
        self.sampled = self._sample()
        self.waves = self._waves()
        self._alike = self._group()

    def spots(self, case: CaseDeclaration) -> list[Spot]:
        """Return the places where a case runs, and count those that are left out in `left_out`."""
        if self.options.profile is RunProfile.CORE and not case.core:
            return []
        if case.scenario.as_found:
            return [*self._as_found(case)]
        if case.scenario.moment is Moment.AT_SWITCH:
            return self._switches(case)
        return [spot for nodes in self._alike for spot in self._spots(case, nodes)]

    def once(self, selected: Iterable[Selected]) -> list[Selected]:
        """Return the selected cases without the second place of each case that runs only once on a node.

        The order is kept.

        Args:
            selected: The cases that remain after all selection by the user and other plug-ins.
        """
        pairs, order = list(selected), strategy_order(self.strategy)

        def place(pair: Selected) -> tuple[bool, int]:
            """Last choice is the state that a run begins with: no change of the node has been judged there yet.

            A defect that shows in the first change alone would be used up by a scenario that looks at something else.
            """
            cell = pair[1].cell
            return cell == Cell(order[0], ALL_DISABLED), order.index(cell.strategy)

        first: dict[tuple[CaseDeclaration, str], Spot] = {}
        for case, spot in sorted(pairs, key=place):
            first.setdefault((case, spot.node), spot)
        return [(case, spot) for case, spot in pairs if not case.cells.once or first[case, spot.node] == spot]

    def order(self, selected: Iterable[Selected]) -> dict[Selected, tuple[int, ...]]:
        """Rank the selected cases so that the run changes as little as possible and visits each state once.

        The order is strategy, wave, configuration: a change of strategy is the most expensive step, so it is the
        outermost. Within a cell, cases whose evidence is complete first come first (see `Moment`). Cases on nodes that
        are only read come before all changes, cases of `Moment.AT_END` after all of them.

        Args:
            selected: The cases that remain after all selection by the user and other plug-ins.
        """
        pairs = list(selected)
        strategies = strategy_order(self.strategy)
        switch_at = next((spot.cell.configuration for _, spot in pairs if spot.after), None)
        names = {spot.cell.configuration for _, spot in pairs} | ({switch_at} if switch_at else set())
        ranks = {
            strategy: {
                name: rank
                for rank, name in enumerate(
                    configuration_order(
                        names, last=None if position else switch_at, first=switch_at if position else None
                    )
                )
            }
            for position, strategy in enumerate(strategies)
        }
        return {
            (case, spot): _rank(case, spot, strategies.index(spot.cell.strategy), ranks[spot.cell.strategy])
            for case, spot in pairs
        }

    # Inside --------------------------------------------------------------------------------------------------------

    def _sample(self) -> frozenset[str]:
        """The nodes that may be changed: nobody uses them, and there are at most `--sample` of each GPU model."""
        free = [target for target in self.targets.values() if target.name not in self.in_use]
        if self.options.sample is None:
            return frozenset(target.name for target in free)
        chosen: dict[str, list[str]] = defaultdict(list)
        for target in free:
            if len(chosen[target.product]) < self.options.sample:
                chosen[target.product].append(target.name)
        return frozenset(name for names in chosen.values() for name in names)

    def _waves(self) -> dict[str, int]:
        """Number of the wave by node: the canary nodes first, then groups of the size of `--max-unavailable`."""
        changed = [name for name in self.targets if self._may_change(name)]
        size = self.options.nodes_at_once(len(changed)) if changed else 1
        first = min(self.options.canary or size, size, len(changed))
        rest = changed[first:]
        waves = [changed[:first], *(rest[at : at + size] for at in range(0, len(rest), size))]
        numbered = {name: number for number, names in enumerate(waves, start=1) for name in names}
        return {name: numbered.get(name, AS_FOUND) for name in self.targets}

    def _may_change(self, name: str) -> bool:
        return self.permissions.disruptive and name in self.sampled

    def _group(self) -> list[list[Target]]:
        """Group nodes for which every decision is the same; thousands of nodes form a handful of groups."""
        groups: dict[tuple[object, ...], list[Target]] = defaultdict(list)
        for target in self.targets.values():
            name = target.name
            offers = (
                tuple(target.kinds.items()),
                tuple(target.not_for_it),
                target.built_in,
                target.sharing,
                self.unmanaged.get(name),
            )
            key = (offers, self.found.get(name), self.in_use.get(name), name in self.sampled)
            groups[key].append(target)
        return list(groups.values())

    def _spots(self, case: CaseDeclaration, nodes: Sequence[Target]) -> Iterator[Spot]:
        first = nodes[0]
        if (why := _does_not_apply(case, first)) is not None:
            self.left_out[case][why] += len(nodes)
            return
        for reason in self._not_for(case, first):
            self.left_out[case][reason] += len(nodes)
        for cell in self._candidates(case, first) if case.cells.once else self._cells(case, first):
            if (why := self._objection(case, first, cell)) is not None:
                self.left_out[case][why] += len(nodes)
                continue
            for target in nodes:
                yield Spot(cell, target.name, self.waves[target.name])

    def _as_found(self, case: CaseDeclaration) -> Iterator[Spot]:
        """Return one place for each node, in the state in which it was found."""
        for target in self.targets.values():
            configuration = self.labelled.get(target.name, "")
            narrowed = configuration in target.kinds and not self._wanted(configuration)
            # Labels do not count GPUs of several models; on a node that is changed, other cases read the GPUs.
            counted_later = case.scenario.needs.counted and target.unlike and self._may_change(target.name)
            if narrowed or counted_later:
                continue
            if (why := _does_not_apply(case, target) or self._objection_as_found(case, target)) is not None:
                self.left_out[case][why] += 1
            else:
                yield Spot(Cell(self.strategy, configuration), target.name, AS_FOUND)

    def _objection_as_found(self, case: CaseDeclaration, target: Target) -> LeftOut | None:
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

    def _not_for(self, case: CaseDeclaration, target: Target) -> Iterator[LeftOut]:
        for name, reason in target.not_for_it.items():
            for _ in filter(lambda strategy: self._wanted(name) and strategy in case.cells.strategies, Strategy):
                yield LeftOut(reason, allowed=True)

    def _cells(self, case: CaseDeclaration, target: Target) -> Iterator[Cell]:
        offered = set(target.kinds.values())
        for strategy in CERTIFIED_STRATEGIES:
            for name, kind in target.kinds.items():
                if self._wanted(name) and case.cells.takes(strategy, kind, offered):
                    yield Cell(strategy, name)

    def _candidates(self, case: CaseDeclaration, target: Target) -> list[Cell]:
        """Return the first cell of each strategy where a case with `once` may run, or the first one if it may not run.

        `once` chooses among the strategies, after the user's selection (`-m mixed`) was applied.
        """
        cells = list(self._cells(case, target))
        allowed = [cell for cell in cells if self._objection(case, target, cell) is None]
        return list({cell.strategy: cell for cell in reversed(allowed)}.values()) or cells[:1]

    def _wanted(self, configuration: str) -> bool:
        return not self.options.configurations or configuration in self.options.configurations

    def _objection(self, case: CaseDeclaration, target: Target, cell: Cell) -> LeftOut | None:
        """Why a case may not run on a node in a cell; None if it may."""
        effect = case.scenario.effect
        if (unmanaged := self.unmanaged.get(target.name)) is not None:
            return LeftOut(unmanaged)
        if cell.strategy is not self.strategy and not self.permissions.cluster_wide:
            return LeftOut("needs --allow-cluster-wide, to change the strategy")
        if (missing := self._missing_permission(case.scenario)) is not None:
            return missing
        if case.scenario.needs.simulator and not self.simulated:
            return LeftOut("only a simulated cluster allows what this case does", allowed=True)
        if self._may_change(target.name):
            return None
        if self.found.get(target.name) != cell:
            return self._kept_from(target, "bring the node to other configurations")
        if effect is not Effect.READONLY:
            return self._kept_from(target, "start pods")
        if target.kinds[cell.configuration] not in READABLE_KINDS[cell.strategy]:
            return self._kept_from(target, "count the GPUs with a pod: labels do not say how many there are")
        if target.unlike:
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

    def _switches(self, case: CaseDeclaration) -> list[Spot]:
        """Return the places for watching the change of strategy: all in the configuration that most nodes can take."""
        first, second = strategy_order(self.strategy)
        offering: dict[str, list[str]] = defaultdict(list)
        for target in self.targets.values():
            for name, kind in target.kinds.items():
                shared = _does_not_apply(case, target) is not None
                if self._wanted(name) and kind in case.cells.kinds and _is_advertised(target, name) and not shared:
                    why = self._objection(case, target, Cell(second, name))
                    if why is None:
                        offering[name].append(target.name)
                    else:
                        self.left_out[case][why] += 1
        chosen = min(offering, key=lambda name: (-len(offering[name]), name), default="")
        return [
            Spot(Cell(second, chosen), node, self.waves[node], after=Cell(first, chosen)) for node in offering[chosen]
        ]


def _does_not_apply(case: CaseDeclaration, target: Target) -> LeftOut | None:
    """Why a case is not for a node in any cell; None if it is."""
    if case.needs.built_in_configurations and target.source and not target.built_in:
        return _HIDDEN
    if target.sharing and case.requirements[0] in _ABOUT_DEVICES:
        return LeftOut(f"the suite does not judge shared devices: {target.sharing}", allowed=True)
    return None


def _is_advertised(target: Target, configuration: str) -> bool:
    """Whether both strategies advertise the devices of a uniform configuration: `mixed` refuses 1c.3g.40gb."""
    profiles = (Profile.parse(name) for entry in target.entries(configuration) for name in entry.mig_devices)
    return all(profile.is_full for profile in profiles)


def _rank(case: CaseDeclaration, spot: Spot, strategy: int, configurations: Mapping[str, int]) -> tuple[int, ...]:
    moment = case.scenario.moment
    at_end = int(moment is Moment.AT_END)
    if spot.wave == AS_FOUND:
        return (at_end, 0, 0, 0, 0, int(moment))
    if spot.after is not None:
        return (0, 1, strategy, 0, 0, 0)
    return (at_end, 1, strategy, spot.wave, configurations[spot.cell.configuration], int(moment))
