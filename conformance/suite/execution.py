"""Carries a plan out, cell by cell, on all nodes of a wave at the same time, and hands out the evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from conformance.cluster.errors import ClusterError, UnreachableError, WaitTimeout
from conformance.expect.node import ExpectedNode
from conformance.operations.errors import ForeignChangeError, LeaseHeldError
from conformance.operations.side_by_side import results, side_by_side
from conformance.report.run import Run
from conformance.suite.case import CaseDeclaration
from conformance.suite.cells import AS_FOUND, Cell, Spot
from conformance.suite.planning import Planner
from conformance.suite.provisioning import Provisioner
from conformance.suite.scenario import AnyScenario, Moment, Needs, NodeInCell
from conformance.suite.scenarios.capacity import still_counted

ENDS_THE_RUN = (ForeignChangeError, LeaseHeldError, UnreachableError)
"""Errors after which nothing that the cluster shows says anything of it."""


class BlockedError(Exception):
    """A case cannot judge because of something that another case reports already; the message names that case."""


class DoesNotApplyError(Exception):
    """A node cannot give what a case needs; the message says what."""


class CanaryFailedError(Exception):
    """A case failed on the nodes of the first wave, so that no other wave is begun."""


@dataclass(frozen=True)
class Stop:
    """Where a run stops to look: a wave of nodes in a cell."""

    cell: Cell
    wave: int

    def __str__(self) -> str:
        return str(self.cell) if self.wave <= 1 else f"{self.cell} wave {self.wave}"


@dataclass
class Visit:
    """One stop while the run is there, and afterwards for what is judged at the end.

    Attributes:
        stop: Where.
        nodes: The nodes, once they are there; those that broke on the way are missing.
        started: What scenarios have begun, by scenario and node.
        evidence: What they gave, or the error that they ended with.
        left: Whether the nodes are about to go to the next cell.
    """

    stop: Stop
    nodes: dict[str, NodeInCell] = field(default_factory=dict)
    started: dict[tuple[AnyScenario, str], Any] = field(default_factory=dict)
    evidence: dict[tuple[AnyScenario, str], Any] = field(default_factory=dict)
    broken: dict[str, Exception] = field(default_factory=dict)
    left: bool = False


class Execution:
    """Brings the cluster where a case asks for it, and remembers what was seen there.

    Args:
        planner: Knows waves and strategies.
        provisioner: Changes the cluster.
        run: Record for the report.

    Attributes:
        tell: Told what is being done: states begun, states in all, and what is going on.
    """

    def __init__(self, planner: Planner, provisioner: Provisioner, run: Run) -> None:
        self._planner = planner
        self._provisioner = provisioner
        self._cluster = provisioner.cluster
        self._run = run
        self._scenarios: dict[Stop, dict[str, list[AnyScenario]]] = {}
        self._switch: dict[str, tuple[AnyScenario, Spot]] = {}
        self._visits: dict[Stop, Visit] = {}
        self._current: Visit | None = None
        self._switched: dict[str, Any] = {}
        self._switch_made = False
        self._switch_error: Exception | None = None
        self._arrival_cases: dict[tuple[Stop, str], str] = {}
        self._reporters: dict[tuple[object, ...], str] = {}
        self._errors: dict[Stop, Exception] = {}
        self._finished = False
        self.tell: Callable[[int, int, str], None] = lambda *_: None

    def select(self, selected: Iterable[tuple[str, CaseDeclaration, Spot]]) -> None:
        """Say which cases will be run; what no case looks at is not done.

        Args:
            selected: Id, declaration and place of every case, in an order in which each state is visited once.
        """
        scenarios: dict[Stop, dict[str, list[AnyScenario]]] = defaultdict(lambda: defaultdict(list))
        for name, case, spot in selected:
            if spot.after is not None:
                self._switch[spot.node] = (case.scenario, spot)
                for cell in (spot.after, spot.cell):
                    scenarios[Stop(cell, spot.wave)].setdefault(spot.node, [])
                continue
            wanted = scenarios[_stop(spot)][spot.node]
            if case.scenario not in wanted:
                wanted.append(case.scenario)
            if case.tells_arrival:
                self._arrival_cases[_stop(spot), spot.node] = name
        self._scenarios = {stop: dict(nodes) for stop, nodes in scenarios.items()}

    @property
    def states(self) -> int:
        """How many states the selected cases ask for."""
        return sum(stop.wave != AS_FOUND for stop in self._scenarios)

    def evidence(self, name: str, case: CaseDeclaration, spot: Spot) -> tuple[ExpectedNode, Any]:
        """Give what a node must show and what was seen of it, for one case; the cluster is brought there first.

        Raises:
            BlockedError: The node did not reach its cell, or what the case looks at broke; another case says so.
            DoesNotApplyError: The node cannot give what the case needs.
            ForeignChangeError, LeaseHeldError, UnreachableError: Nothing more can be said of this cluster.
            Exception: What the scenario ended with; raised for the first case that looks at it.
        """
        stop = Stop(spot.after or spot.cell, spot.wave)
        self._stop_after_a_failed_canary(stop)
        if spot.after is not None:
            self._ensure_switched(spot)
            if self._switch_error is not None:
                raise self._once(name, ("switch",), self._switch_error)
            visit = self._visits[stop]
        else:
            visit = self._at_for(name, stop, case.scenario.moment)
        if spot.node in visit.broken:
            raise self._once(name, (stop, "arrival"), visit.broken[spot.node])
        node = visit.nodes[spot.node]
        self._refuse_blocked(case, visit, node)
        found: Any = self._switched.get(spot.node) if spot.after else visit.evidence.get((case.scenario, spot.node))
        if isinstance(found, Exception):
            raise self._once(name, (stop, case.scenario), found)
        if (lacking := unmet(case.scenario.needs, node) or unmet(case.needs, node)) is not None:
            raise DoesNotApplyError(lacking)
        return node.expected.certifying(case.requirements), found

    def record(self, spot: Spot) -> dict[str, str]:
        """What happened on the node of a case since the request that led there, to be read beside a failed case."""
        visit = self._visits.get(Stop(spot.after or spot.cell, spot.wave))
        node = visit.nodes.get(spot.node) if visit else None
        if node is None:
            return {}
        changes = self._cluster.timeline.between(node.mark, None, node=spot.node)
        log = node.arrival.reconfiguration.manager_log if node.arrival else ()
        return {
            "timeline": "\n".join(f"{change.time:10.3f}  {change.describe()}" for change in changes),
            "mig-manager log": "\n".join(log),
        }

    # The way --------------------------------------------------------------------------------------------------------

    def _at_for(self, name: str, stop: Stop, moment: Moment) -> Visit:
        try:
            return self._at(stop, moment)
        except ENDS_THE_RUN:
            raise
        except ClusterError as error:
            raise self._once(name, (stop, "visit"), error) from error

    def _at(self, stop: Stop, moment: Moment) -> Visit:
        """Be at a stop, at the moment when evidence of that kind is complete."""
        if moment is Moment.AT_END:
            self._finish()
            return self._visits.get(stop) or self._enter(stop)
        if (known := self._visits.get(stop)) is None or known is not self._current:
            self._leave()
            known = self._enter(stop)
        if moment is Moment.WHEN_LEFT:
            self._leave()
        return known

    def _enter(self, stop: Stop) -> Visit:
        if (earlier := self._errors.get(stop)) is not None:
            raise earlier
        self._forget_details()
        visit = Visit(stop)
        try:
            self._bring(visit)
        except Exception as error:
            self._errors[stop] = error
            raise
        self._visits[stop] = self._current = visit
        return visit

    def _bring(self, visit: Visit) -> None:
        stop = visit.stop
        names = list(self._scenarios.get(stop, {}))
        if stop.wave == AS_FOUND:
            for name in names:
                visit.nodes[name] = self._provisioner.find(name, stop.cell)
                self._run_scenarios(visit, visit.nodes[name])
            return
        self._run.asked.add(str(stop))
        self._run.made += 1
        self._run.visited.append(str(stop))
        self.tell(self._run.made, self.states, str(stop))
        self._provisioner.keeping.begin(names)
        self._provisioner.change_strategy(stop.cell.strategy)

        def visit_node(name: str) -> None:
            node = self._provisioner.bring(name, stop.cell)
            visit.nodes[name] = node
            if node.arrival is not None and node.arrival.reached:
                self._look(visit, node)

        outcomes = side_by_side(self._cluster, names, visit_node, self._tell_nodes(stop))
        self._note_errors(visit, outcomes)

    def _look(self, visit: Visit, node: NodeInCell) -> None:
        """Run every scenario of the cell on a node that has arrived; pods of all of them start together."""
        provisioner = self._provisioner

        def start() -> None:
            provisioner.settle_resources(node)
            for scenario in self._of(visit, node, exclusive=False):
                self._start(visit, scenario, node)

        try:
            provisioner.read_gpus(node, start)
            provisioner.settle_labels(node)
            for scenario in self._of(visit, node, exclusive=False, moment=Moment.IN_CELL):
                self._observe(visit, scenario, node)
        finally:
            node.workloads.remove()
        for scenario in self._of(visit, node, exclusive=True):
            try:
                self._start(visit, scenario, node)
                self._observe(visit, scenario, node)
            finally:
                node.workloads.remove()

    def _run_scenarios(self, visit: Visit, node: NodeInCell) -> None:
        for scenario in self._of(visit, node):
            self._start(visit, scenario, node)
            if scenario.moment is Moment.IN_CELL:
                self._observe(visit, scenario, node)

    def _leave(self) -> None:
        """Complete the evidence of a stay; the nodes stay where they are until the next stop."""
        visit = self._current
        if visit is None or visit.left:
            return
        visit.left = True
        for node in visit.nodes.values():
            node.leave()
            for scenario in self._of(visit, node, moment=Moment.WHEN_LEFT):
                if node.arrival is None or node.arrival.reached:
                    self._observe(visit, scenario, node)

    def _finish(self) -> None:
        """Wait, once, for everything that only takes time, and complete the evidence of all visits."""
        if self._finished:
            return
        self._finished = True
        for stop in self._scenarios:
            if stop not in self._visits and stop not in self._errors:
                self._leave()
                with suppress(ClusterError):  # raised again for the cases that look at this stop
                    self._enter(stop)
        self._leave()
        watched = {
            node.name
            for visit in self._visits.values()
            for node in visit.nodes.values()
            if any(True for _ in self._of(visit, node, moment=Moment.AT_END))
        }
        self.tell(self._run.made, self.states, "kubelet's grace for resources that are gone")
        results(side_by_side(self._cluster, watched, self._await_grace))
        for visit in self._visits.values():
            for node in visit.nodes.values():
                for scenario in self._of(visit, node, moment=Moment.AT_END):
                    self._observe(visit, scenario, node)

    def _await_grace(self, name: str) -> None:
        def forgotten() -> bool:
            view = self._cluster.node(name)
            return not still_counted(view.allocatable, view.capacity)

        with suppress(WaitTimeout):  # what is counted then is a finding
            limit = self._cluster.limits.capacity_grace
            self._cluster.wait(forgotten, "kubelet to forget resources that are gone", limit, node=name)

    # The change of strategy -----------------------------------------------------------------------------------------

    def _ensure_switched(self, spot: Spot) -> None:
        """Switch once for all nodes, since there is one strategy for the cluster."""
        if self._switch_made:
            return
        self._switch_made = True
        try:
            self._be_before_the_switch()
            self._make_switch(spot)
        except ENDS_THE_RUN:
            raise
        except Exception as error:  # noqa: BLE001 - it is reported by the first case that looks at the switch
            self._switch_error = error

    def _be_before_the_switch(self) -> None:
        for _, spot in self._switch.values():
            stop = Stop(spot.after or spot.cell, spot.wave)
            if stop not in self._visits:
                self._leave()
                self._enter(stop)
        self._leave()

    def _make_switch(self, spot: Spot) -> None:
        before: dict[str, NodeInCell] = {}
        for name, (_, at) in self._switch.items():
            node = self._visits[Stop(at.after or at.cell, at.wave)].nodes.get(name)
            if node is not None and node.arrival is not None and node.arrival.reached:
                before[name] = node
        self.tell(self._run.made, self.states, f"the change of strategy to {spot.cell.strategy}")
        try:
            waiting = results(
                side_by_side(self._cluster, before, lambda name: self._switch[name][0].start(before[name]))
            )
            self._provisioner.change_strategy(spot.cell.strategy)
            seen = side_by_side(
                self._cluster, before, lambda name: self._switch[name][0].observe(before[name], waiting[name])
            )
        finally:
            results(side_by_side(self._cluster, before, lambda name: before[name].workloads.remove()))
        self._switched.update(seen)

    # Scenarios ------------------------------------------------------------------------------------------------------

    def _of(
        self, visit: Visit, node: NodeInCell, *, exclusive: bool | None = None, moment: Moment | None = None
    ) -> Iterator[AnyScenario]:
        for scenario in self._scenarios.get(visit.stop, {}).get(node.name, ()):
            if exclusive in (None, scenario.exclusive) and moment in (None, scenario.moment):
                yield scenario

    def _start(self, visit: Visit, scenario: AnyScenario, node: NodeInCell) -> None:
        if unmet(scenario.needs, node) is not None:
            return
        self._kept(visit.started, visit, scenario, node, lambda: scenario.start(node))

    def _observe(self, visit: Visit, scenario: AnyScenario, node: NodeInCell) -> None:
        key = (scenario, node.name)
        if key in visit.evidence or key not in visit.started:
            return
        started = visit.started[key]
        self._kept(visit.evidence, visit, scenario, node, lambda: scenario.observe(node, started))

    @staticmethod
    def _kept(
        where: dict[tuple[AnyScenario, str], Any],
        visit: Visit,
        scenario: AnyScenario,
        node: NodeInCell,
        work: Callable[[], Any],
    ) -> None:
        """Keep what a step of a scenario gives; an error is kept as evidence, and reported by one case."""
        try:
            where[scenario, node.name] = work()
        except ENDS_THE_RUN:
            raise
        except Exception as error:  # noqa: BLE001 - see above
            visit.evidence[scenario, node.name] = error

    def _note_errors(self, visit: Visit, outcomes: dict[str, Exception | None]) -> None:
        for name, outcome in outcomes.items():
            if isinstance(outcome, ENDS_THE_RUN):
                raise outcome
            if isinstance(outcome, Exception):
                visit.broken[name] = outcome

    def _forget_details(self) -> None:
        """Evidence of earlier visits that no case asks for any more would only take memory."""
        for visit in self._visits.values():
            if visit.left:
                visit.evidence = {key: found for key, found in visit.evidence.items() if key[0].moment is Moment.AT_END}

    # What cases are told --------------------------------------------------------------------------------------------

    def _refuse_blocked(self, case: CaseDeclaration, visit: Visit, node: NodeInCell) -> None:
        arrival = node.arrival
        if case.tells_arrival or arrival is None or arrival.reached:
            return
        teller = self._arrival_cases.get((visit.stop, node.name), "no selected case")
        raise BlockedError(
            f"blocked by {teller}: node {node.name} did not reach {node.cell}: {arrival.reconfiguration.problem}"
        )

    def _once(self, name: str, key: tuple[object, ...], error: Exception) -> Exception:
        """Give the error for the first case that looks at it; for the others, that they are blocked by that case."""
        reporter = self._reporters.setdefault(key, name)
        return error if reporter == name else BlockedError(f"blocked by {reporter}: {error}")

    def _stop_after_a_failed_canary(self, stop: Stop) -> None:
        if stop.wave > 1 and self._planner.options.canary and self._run.failures():
            nodes = ", ".join(self._planner.wave_nodes(1))
            raise CanaryFailedError(f"the canary failed ({nodes}): no other node is touched")

    def _tell_nodes(self, stop: Stop) -> Callable[[int, int], None]:
        return lambda done, of: self.tell(self._run.made, self.states, f"{stop}: {done} of {of} nodes done")


def unmet(needs: Needs, node: NodeInCell) -> str | None:
    """Say what a node lacks; None where it has everything."""
    gpus, resources = node.expected.wanted, node.expected.resources
    most = max(resources.values(), default=0)
    if needs.devices > most:
        listed = ", ".join(f"{count} x {name}" for name, count in sorted(resources.items())) or "no resource"
        return f"node {node.name} has {listed}: {needs.devices} of one resource are needed"
    if needs.gpus > len(gpus):
        return f"node {node.name} has {len(gpus)} GPUs: {needs.gpus} are needed"
    if needs.generations and node.observed is not None:
        found = {gpu.capability[0] for gpu in node.observed.gpus}
        if not found.intersection(needs.generations):
            return f"node {node.name} has no GPU of compute capability {', '.join(map(str, needs.generations))}"
    if needs.custom_configuration and node.cluster.policy().config_name in (None, ""):
        return "the cluster has no mig-parted ConfigMap of the user's own"
    return None


def _stop(spot: Spot) -> Stop:
    return Stop(spot.cell, spot.wave)
