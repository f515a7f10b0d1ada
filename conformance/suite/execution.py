"""Carries the agenda out, stop by stop, on all nodes of a wave at the same time, and hands out the evidence."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from conformance.cluster.errors import ClusterError, WaitTimeout
from conformance.expect.node import ExpectedNode
from conformance.operations.side_by_side import results, side_by_side
from conformance.report.run import Run, Spent
from conformance.suite.agenda import Agenda, Stop
from conformance.suite.case import CaseDeclaration
from conformance.suite.cells import FIRST_WAVE, Spot
from conformance.suite.provisioning import Provisioner
from conformance.suite.scenario import Moment, NodeInCell
from conformance.suite.scenarios.capacity import still_counted
from conformance.suite.switching import Switching
from conformance.suite.visit import ENDS_THE_RUN, Visit, unmet


class BlockedError(Exception):
    """A case cannot judge because of something that another case reports already; the message names that case."""


class DoesNotApplyError(Exception):
    """A node cannot give what a case needs; the message says what."""


class CanaryFailedError(Exception):
    """A case failed on the nodes of the first wave, so that no other wave is begun."""


class Execution:
    """Brings the cluster where a case asks for it, and remembers what was seen there.

    Args:
        provisioner: Changes the cluster.
        run: Record for the report.
        canary: Whether the first wave must pass before another is begun.

    Attributes:
        agenda: What is to be done; empty until the cases were selected.
        tell: Told what is being done: states begun, states in all, and what is going on.
    """

    def __init__(self, provisioner: Provisioner, run: Run, *, canary: bool = False) -> None:
        self._provisioner = provisioner
        self._cluster = provisioner.cluster
        self._run = run
        self._canary = canary
        self._visits: dict[Stop, Visit] = {}
        self._errors: dict[Stop, Exception] = {}
        self._current: Visit | None = None
        self._reporters: dict[tuple[object, ...], str] = {}
        self._canary_cases: set[str] = set()
        self._finished = False
        self.tell: Callable[[int, int, str], None] = lambda *_: None
        self.follow(Agenda())

    def follow(self, agenda: Agenda) -> None:
        """Take over what is to be done; to be called once, before the first case."""
        self.agenda = agenda
        self._switching = Switching(agenda, self._provisioner)

    def evidence(self, name: str, case: CaseDeclaration, spot: Spot) -> tuple[ExpectedNode, Any]:
        """Give what a node must show and what was seen of it, for one case; the cluster is brought there first.

        Args:
            name: Id of the case.
            case: Its declaration.
            spot: Where it looks.

        Raises:
            BlockedError: The node did not reach its cell, or what the case looks at broke; another case says so.
            DoesNotApplyError: The node cannot give what the case needs.
            CanaryFailedError: The run must not go on to other nodes.
            ForeignChangeError, LeaseHeldError, UnreachableError: Nothing more can be said of this cluster.
            Exception: What the scenario ended with; raised for the first case that looks at it.
        """
        stop = Stop.of(spot)
        if stop.wave == FIRST_WAVE:
            self._canary_cases.add(name)
        visit = self._switched(name, stop) if spot.after else self._at(name, stop, case.scenario.moment)
        if spot.node in visit.broken:
            broken = visit.broken[spot.node]
            raise self._once(name, (stop, "nodes", _cause(broken, spot.node)), broken)
        node = visit.nodes[spot.node]
        self._refuse_blocked(case, stop, node)
        found = self._switching.evidence(node.name) if spot.after else visit.evidence(case.scenario, node.name)
        if isinstance(found, Exception):
            raise self._once(name, (stop, case.scenario, _cause(found, node.name)), found)
        if (lacking := unmet(case.scenario.needs, node) or unmet(case.needs, node)) is not None:
            raise DoesNotApplyError(lacking)
        return node.expected.certifying(case.requirements), found

    def record(self, spot: Spot) -> dict[str, str]:
        """What happened on the node of a case since the request that led there, to be read beside a failed case."""
        visit = self._visits.get(Stop.of(spot))
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

    def _at(self, name: str, stop: Stop, moment: Moment) -> Visit:
        """Be at a stop, at the moment when evidence of that kind is complete."""
        try:
            if moment is Moment.AT_END:
                self._finish()
                return self._visits.get(stop) or self._enter(stop)
            visit = self._visits.get(stop)
            if visit is None or visit is not self._current:
                visit = self._enter(stop)
            if moment is Moment.WHEN_LEFT:
                visit.leave()
        except ENDS_THE_RUN:
            raise
        except ClusterError as error:
            raise self._once(name, (stop, "visit"), error) from error
        return visit

    def _enter(self, stop: Stop) -> Visit:
        if (earlier := self._errors.get(stop)) is not None:
            raise earlier
        self._stop_after_a_failed_canary(stop)
        self._leave()
        for left in self._visits.values():
            left.forget_details()
        visit = Visit(stop, self.agenda)
        try:
            if stop.changes:
                self._bring(visit)
            else:
                self._find(visit)
        except Exception as error:
            self._errors[stop] = error
            raise
        self._visits[stop] = self._current = visit
        return visit

    def _leave(self) -> None:
        if self._current is not None:
            self._current.leave()

    def _find(self, visit: Visit) -> None:
        """Look at nodes in the cell where they were found."""
        for name in self.agenda.stops.get(visit.stop, {}):
            node = visit.nodes[name] = self._provisioner.find(name, visit.stop.cell)
            visit.start(node)
            visit.observe(node, Moment.IN_CELL)

    def _bring(self, visit: Visit) -> None:
        """Bring the nodes to a cell and look at each as soon as it is there."""
        stop, names = visit.stop, list(self.agenda.stops.get(visit.stop, {}))
        self._run.asked.add(str(stop))
        self._run.made += 1
        self._run.visited.append(str(stop))
        self.tell(self._run.made, self.agenda.states, str(stop))
        self._provisioner.keeping.begin(names)
        with self._run.spending(Spent.STRATEGY):
            self._provisioner.change_strategy(stop.cell.strategy)

        def bring(name: str) -> None:
            node = visit.nodes[name] = self._provisioner.bring(name, stop.cell)
            if node.arrival is not None and node.arrival.reached:
                self._run_scenarios(visit, node)
            else:
                visit.look_at_arrival(node)

        with self._run.spending(Spent.SCENARIOS):
            outcomes = side_by_side(self._cluster, names, bring, self._tell_nodes(stop))
        self._count_reconfigurations(visit)
        for name, outcome in outcomes.items():
            if isinstance(outcome, ENDS_THE_RUN):
                raise outcome
            if isinstance(outcome, Exception):
                visit.broken[name] = outcome

    def _count_reconfigurations(self, visit: Visit) -> None:
        """Tell the reconfigurations of a stop, which nodes make at the same time, from what else was done there."""
        found = [node.arrival.reconfiguration for node in visit.nodes.values() if node.arrival is not None]
        longest = max(((it.settled or it.answered or it.started) - it.started for it in found), default=0.0)
        self._run.spent[Spent.RECONFIGURATIONS] += longest / self._cluster.clock.scale
        self._run.spent[Spent.SCENARIOS] -= longest / self._cluster.clock.scale

    def _run_scenarios(self, visit: Visit, node: NodeInCell) -> None:
        """Do on a node that has arrived what is to be done in the cell; pods of all scenarios start together."""
        provisioner = self._provisioner

        def start() -> None:
            provisioner.settle_resources(node)
            visit.start(node, exclusive=False)

        try:
            provisioner.read_gpus(node, start)
            provisioner.settle_labels(node)
            visit.observe(node, Moment.IN_CELL, exclusive=False)
        finally:
            node.workloads.remove()
        visit.do_exclusive(node)

    def _switched(self, name: str, stop: Stop) -> Visit:
        """Have the strategy changed, once for all nodes: there is one strategy for the cluster."""
        switching = self._switching
        if not switching.made:
            switching.made = True
            try:
                for before in switching.stops():
                    if before not in self._visits:
                        self._enter(before)
                self._leave()
                self.tell(self._run.made, self.agenda.states, "the change of strategy")
                with self._run.spending(Spent.STRATEGY):
                    switching.make(self._visits)
            except (CanaryFailedError, *ENDS_THE_RUN):
                raise
            except Exception as error:  # noqa: BLE001 - it is told by the first case that looks at the change
                switching.error = error
        if switching.error is not None:
            raise self._once(name, ("switch",), switching.error)
        return self._visits[stop]

    def _finish(self) -> None:
        """Visit what is left to visit, wait once for everything that only takes time, and complete all evidence."""
        if self._finished:
            return
        self._finished = True
        for stop in self.agenda.stops:
            if stop not in self._visits:
                try:
                    self._enter(stop)
                except ENDS_THE_RUN:
                    raise
                except ClusterError:  # told by the first case that looks at this stop
                    continue
        self._leave()
        self.tell(self._run.made, self.agenda.states, "kubelet's grace for resources that are gone")
        watched = {
            node.name
            for visit in self._visits.values()
            for node in visit.nodes.values()
            if self.agenda.scenarios(visit.stop, node.name, moment=Moment.AT_END)
        }
        with self._run.spending(Spent.GRACE):
            results(side_by_side(self._cluster, watched, self._await_grace))
        for visit in self._visits.values():
            for node in visit.nodes.values():
                visit.observe(node, Moment.AT_END)

    def _await_grace(self, name: str) -> None:
        def forgotten() -> bool:
            view = self._cluster.node(name)
            return not still_counted(view.allocatable, view.capacity)

        with suppress(WaitTimeout):  # what is counted then is a finding
            limit = self._cluster.limits.capacity_grace
            self._cluster.wait(forgotten, "kubelet to forget resources that are gone", limit, node=name)

    # What cases are told --------------------------------------------------------------------------------------------

    def _refuse_blocked(self, case: CaseDeclaration, stop: Stop, node: NodeInCell) -> None:
        arrival = node.arrival
        if case.tells_arrival or arrival is None or arrival.reached:
            return
        teller = self.agenda.arrival_cases.get((stop, node.name), "a case that was not selected")
        raise BlockedError(
            f"blocked by {teller}: node {node.name} did not reach {node.cell}: {arrival.reconfiguration.problem}"
        )

    def _once(self, name: str, key: tuple[object, ...], error: Exception) -> Exception:
        """Give the error for the first case that looks at it; for the others, that they are blocked by that case."""
        reporter = self._reporters.setdefault(key, name)
        return error if reporter == name else BlockedError(f"blocked by {reporter}: {error}")

    def _stop_after_a_failed_canary(self, stop: Stop) -> None:
        if not self._canary or stop.wave <= FIRST_WAVE:
            return
        if any(case.id in self._canary_cases for case in self._run.failures()):
            raise CanaryFailedError("a case failed on the canary nodes: no other node is changed")

    def _tell_nodes(self, stop: Stop) -> Callable[[int, int], None]:
        return lambda done, of: self.tell(self._run.made, self.agenda.states, f"{stop}: {done} of {of} nodes done")


def _cause(error: Exception, node: str) -> str:
    """What broke, whatever the node: the same cause on many nodes is told once."""
    return f"{type(error).__name__}: {error}".replace(node, "")
