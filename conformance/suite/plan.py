"""The text of `pytest --plan`: what a run would do, derived from the agenda without changing anything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.spec.names import Strategy
from conformance.suite.agenda import Agenda, Stop
from conformance.suite.planning import Planner
from conformance.suite.scenario import AnyScenario, Effect, Moment
from conformance.suite.scenarios.arrival import BringToCell
from conformance.suite.witnesses import FALSE_LABEL
from conformance.wording import counted

STRATEGY_SECONDS: Final = 25.0
"""Real seconds for a change of strategy on the first node: the operator replaces four pods, one after another."""
STRATEGY_SECONDS_PER_NODE: Final = 20.0
"""Real seconds for each further node: the DaemonSets roll one node at a time."""
GRACE_SECONDS: Final = 310.0
"""Real seconds: kubelet's grace of five minutes for a removed resource, plus its sync period of ten seconds."""
RESTORE_SECONDS: Final = 30.0
"""Real seconds for restoring the nodes, without a change of strategy."""
_LISTED_NODES: Final = 6


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Attributes:
        agenda: What the selected cases ask for.
        planner: Knows the nodes, their waves, and what was left out.
    """

    agenda: Agenda
    planner: Planner

    @property
    def states(self) -> list[str]:
        """Ids of the stops at which nodes would be changed, in order."""
        return [str(stop) for stop in self.agenda.stops if stop.changes]

    @property
    def seconds(self) -> float:
        """Estimated duration on real hardware, in seconds."""
        stops = [stop for stop in self.agenda.stops if stop.changes]
        changes = self._strategy_changes(stops)
        nodes = max(len(self.planner.targets), 1)
        roll = STRATEGY_SECONDS + STRATEGY_SECONDS_PER_NODE * (nodes - 1)
        watched = any(scenario.moment is Moment.AT_END for scenario in self._scenarios(self.agenda.stops))
        switch = max((scenario.cost for scenario, _ in self.agenda.switch.values()), default=0.0)
        back = RESTORE_SECONDS if stops else 0.0
        return sum(map(self._stop_seconds, stops)) + changes * roll + switch + GRACE_SECONDS * watched + back

    def lines(self) -> Iterator[tuple[str, Sequence[str]]]:
        """Return the label and lines of each part of the plan."""
        yield "nodes", [*self._nodes()]
        yield "as found", [*self._as_found()] or ["nothing"]
        yield "states", [*self._states()] or ["none: every node stays as it was found"]
        yield "scenarios", [*self._described()]
        yield "changes", [*dict.fromkeys(self._changes())]
        yield "left out", [*self._left_out()] or ["nothing"]
        yield "takes", [f"about {_duration(self.seconds)} on real hardware"]

    # Parts ---------------------------------------------------------------------------------------------------------

    def _nodes(self) -> Iterator[str]:
        waves: dict[int, list[str]] = defaultdict(list)
        for name, wave in self.planner.waves.items():
            waves[wave].append(name)
        for wave, names in sorted(waves.items()):
            what = f"wave {wave}" if wave else "read only"
            canary = " (canary)" if wave == 1 and self.planner.options.canary else ""
            yield f"{what}{canary}: {len(names)}: {_listed(names)}"

    def _as_found(self) -> Iterator[str]:
        for stop in (stop for stop in self.agenda.stops if not stop.changes):
            yield f"{stop}: {self._size(stop)}"

    def _states(self) -> Iterator[str]:
        for number, stop in enumerate((stop for stop in self.agenda.stops if stop.changes), start=1):
            yield f"{number}. {stop}: {self._size(stop)}"

    def _size(self, stop: Stop) -> str:
        return f"{counted(len(self.agenda.stops[stop]), 'node')}, {counted(self.agenda.cases[stop], 'case')}"

    def _described(self) -> Iterator[str]:
        found = Counter(self._scenarios(self.agenda.stops))
        found.update(scenario for scenario, _ in self.agenda.switch.values())
        for scenario, times in sorted(found.items(), key=lambda item: item[0].name):
            yield f"{scenario.name} ({scenario.effect}), {counted(times, 'time')}: {scenario.summary}"

    def _changes(self) -> Iterator[str]:
        published = [*self._published()]
        if not any(stop.changes for stop in self.agenda.stops):
            yield from published or ["nothing"]
            return
        yield "node labels nvidia.com/mig.config and nvidia.com/mig.config.state, and what mig-manager makes of them"
        yield f"node label {FALSE_LABEL}=false, which mig-manager must leave alone"
        if self.planner.options.cordon:
            yield "cordon of the nodes, unless they are cordoned already"
        yield "namespace mig-conformance with pods, a Lease, and ConfigMaps (journal, probe)"
        if self._strategy_changes([stop for stop in self.agenda.stops if stop.changes]):
            yield "ClusterPolicy spec.mig.strategy, which restarts operands on every GPU node"
        if any(scenario.effect is Effect.REBOOT for scenario in self._scenarios(self.agenda.stops)):
            yield "reboots of nodes"
        scenarios = self._scenarios(self.agenda.stops)
        yield from dict.fromkeys(change for scenario in scenarios for change in scenario.changes)
        yield "everything is put back at the end"
        yield from published

    def _published(self) -> Iterator[str]:
        options = self.planner.options
        if options.publish:
            where = options.publish_namespace or "of the operator"
            yield f"annotations of the nodes, and a ConfigMap and an Event in namespace {where}, until --unpublish"

    def _left_out(self) -> Iterator[str]:
        reasons: Counter[str] = Counter()
        cases: dict[str, set[str]] = defaultdict(set)
        for case, found in self.planner.left_out.items():
            for why, places in found.items():
                reasons[why.reason] += places
                cases[why.reason].add(case.name)
        for reason, places in reasons.most_common():
            yield f"{reason}: {counted(len(cases[reason]), 'case')}, at {counted(places, 'place')}"

    # Figures -------------------------------------------------------------------------------------------------------

    def _scenarios(self, stops: Mapping[Stop, Mapping[str, Iterable[AnyScenario]]]) -> Iterator[AnyScenario]:
        for nodes in stops.values():
            for scenarios in nodes.values():
                yield from scenarios

    def _strategy_changes(self, stops: Sequence[Stop]) -> int:
        """How often the strategy changes, including the change back to the original one."""
        way = [self.planner.strategy, *(stop.cell.strategy for stop in stops)]
        way += [spot.cell.strategy for _, spot in list(self.agenda.switch.values())[:1]]
        seen: list[Strategy] = []
        for strategy in way:
            if not seen or seen[-1] is not strategy:
                seen.append(strategy)
        return len(seen) - 1 + (seen[-1] is not self.planner.strategy)

    def _stop_seconds(self, stop: Stop) -> float:
        scenarios = {it for it in self._scenarios({stop: self.agenda.stops[stop]}) if not isinstance(it, BringToCell)}
        together = max((it.cost for it in scenarios if not it.exclusive and it.moment is Moment.IN_CELL), default=0.0)
        return BringToCell.cost + together + sum(it.cost for it in scenarios if it.exclusive)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_LISTED_NODES])
    return shown if len(names) <= _LISTED_NODES else f"{shown} and {len(names) - _LISTED_NODES} more"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
