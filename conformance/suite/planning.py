"""Decides where each case runs, in which order, and what is left out and why.

This module does not access the cluster. Places that are left out are only counted, by case and reason, so a large
cluster with few permissions does not create thousands of skipped cases.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from conformance.backends.backend import Permissions
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import Strategy
from conformance.spec.profile import Profile
from conformance.suite.case import CaseDeclaration
from conformance.suite.cells import AS_FOUND, CERTIFIED_STRATEGIES, Cell, Spot, configuration_order, strategy_order
from conformance.suite.objections import LeftOut, Objections, does_not_apply
from conformance.suite.options import Options, RunProfile
from conformance.suite.scenario import Moment
from conformance.suite.targets import Target

Selected = tuple[CaseDeclaration, Spot]


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
        self.objections = Objections(
            self.permissions, self.strategy, self.found, self.sampled, self.in_use, self.simulated, self.unmanaged
        )
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
        changed = [name for name in self.targets if self.objections.may_change(name)]
        size = self.options.nodes_at_once(len(changed)) if changed else 1
        first = min(self.options.canary or size, size, len(changed))
        rest = changed[first:]
        waves = [changed[:first], *(rest[at : at + size] for at in range(0, len(rest), size))]
        numbered = {name: number for number, names in enumerate(waves, start=1) for name in names}
        return {name: numbered.get(name, AS_FOUND) for name in self.targets}

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
        if (why := does_not_apply(case, first)) is not None:
            self.left_out[case][why] += len(nodes)
            return
        for reason in self._not_for(case, first):
            self.left_out[case][reason] += len(nodes)
        for cell in self._candidates(case, first) if case.cells.once else self._cells(case, first):
            if (why := self.objections.in_cell(case, first, cell)) is not None:
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
            counted_later = case.scenario.needs.counted and target.unlike and self.objections.may_change(target.name)
            if narrowed or counted_later:
                continue
            if (why := does_not_apply(case, target) or self.objections.as_found(case, target)) is not None:
                self.left_out[case][why] += 1
            else:
                yield Spot(Cell(self.strategy, configuration), target.name, AS_FOUND)

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
        allowed = [cell for cell in cells if self.objections.in_cell(case, target, cell) is None]
        return list({cell.strategy: cell for cell in reversed(allowed)}.values()) or cells[:1]

    def _wanted(self, configuration: str) -> bool:
        return not self.options.configurations or configuration in self.options.configurations

    def _switches(self, case: CaseDeclaration) -> list[Spot]:
        """Return the places for watching the change of strategy: all in the configuration that most nodes can take."""
        first, second = strategy_order(self.strategy)
        offering: dict[str, list[str]] = defaultdict(list)
        for target in self.targets.values():
            for name, kind in target.kinds.items():
                shared = does_not_apply(case, target) is not None
                if self._wanted(name) and kind in case.cells.kinds and _is_advertised(target, name) and not shared:
                    why = self.objections.in_cell(case, target, Cell(second, name))
                    if why is None:
                        offering[name].append(target.name)
                    else:
                        self.left_out[case][why] += 1
        chosen = min(offering, key=lambda name: (-len(offering[name]), name), default="")
        return [
            Spot(Cell(second, chosen), node, self.waves[node], after=Cell(first, chosen)) for node in offering[chosen]
        ]


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
