"""Carries out the agenda stop by stop, on all nodes of a wave in parallel, and keeps the evidence for the cases."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from conformance.cluster.errors import ClusterError, InconclusiveError
from conformance.expect.kinds import geometry_kind
from conformance.expect.node import ExpectedNode
from conformance.operations.side_by_side import side_by_side, surviving
from conformance.report.run import Run, Spent
from conformance.suite.agenda import Agenda, Stop
from conformance.suite.case import CaseDeclaration
from conformance.suite.cells import FIRST_WAVE, Spot
from conformance.suite.doubts import Doubts
from conformance.suite.failure_evidence import MOST_PLACES, take_evidence
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.provisioning import Provisioner
from conformance.suite.scenario import Moment
from conformance.suite.scenarios.capacity import still_counted
from conformance.suite.stop_work import StopWork
from conformance.suite.switching import Switching
from conformance.suite.visit import ENDS_THE_RUN, Visit, unmet


class BlockedError(Exception):
    """A case cannot judge because of a problem that another case reports; the message names that case."""


class DoesNotApplyError(Exception):
    """A case does not apply to a node because the node lacks something; the message says what."""


class CanaryFailedError(Exception):
    """A case failed on the canary nodes, so the run does not change any other node."""


class Execution:
    """Brings nodes to the cell of each case and keeps the evidence that scenarios give there.

    Args:
        provisioner: Changes the cluster.
        run: Record for the report.
        canary: Whether the run ends instead of beginning another wave when a case has failed on the first.

    Attributes:
        agenda: The work of the run; empty until the cases have been selected.
        doubts: Tells what else than the product may have made a case fail.
        tell: Callback for progress: number of states begun, number of states in total, current activity.
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
        self.doubts = Doubts(provisioner)
        self._finished = False
        self._ended: Exception | None = None
        self.tell: Callable[[int, int, str], None] = lambda *_: None
        self.follow(Agenda())

    def follow(self, agenda: Agenda) -> None:
        """Set the agenda. Call this once, before the first case."""
        self.agenda = agenda
        self._switching = Switching(agenda, self._provisioner)
        self._work = StopWork(agenda, self._provisioner, self._run, lambda *told: self.tell(*told))

    def evidence(self, name: str, case: CaseDeclaration, spot: Spot) -> tuple[ExpectedNode, Any]:
        """Return the expectation and the evidence for a case; brings nodes to its cell if necessary.

        Args:
            name: Id of the case.
            case: Declaration of the case.
            spot: Place of the case.

        Raises:
            BlockedError: The node did not reach its cell, or the scenario failed; another case reports that.
            DoesNotApplyError: The node lacks something that the case needs.
            CanaryFailedError: A case failed on the canary nodes, or could not be judged there.
            InconclusiveError: The suite cannot judge; after an error of `ENDS_THE_RUN` every later case gets it too.
            Exception: Whatever the scenario raised, for the first case that asks; later ones get BlockedError.
        """
        if self._ended is not None:
            raise self._ended
        try:
            return self._evidence(name, case, spot)
        except ENDS_THE_RUN as error:
            self._ended = error
            raise

    def _evidence(self, name: str, case: CaseDeclaration, spot: Spot) -> tuple[ExpectedNode, Any]:
        stop = Stop.of(spot)
        if stop.wave == FIRST_WAVE:
            self._canary_cases.add(name)
        self._cluster.guard.check(spot.node)
        visit = self._switched(name, stop) if spot.after else self._at(name, stop, case.scenario.moment)
        if spot.node in visit.broken:
            broken = visit.broken[spot.node]
            raise self._once(name, (stop, "nodes", _cause(broken, spot.node)), broken)
        node = visit.nodes[spot.node]
        self._refuse_blocked(case, stop, node)
        kind, offered = geometry_kind(node.expected.wanted), node.target.kinds.values()
        if not case.cells.takes(spot.cell.strategy, kind, offered):
            raise DoesNotApplyError(f"the geometry of node {node.name} is {kind}: GPUs without an entry kept theirs")
        found = self._switching.evidence(node.name) if spot.after else visit.evidence(case.scenario, node.name)
        if isinstance(found, Exception):
            raise self._once(name, (stop, case.scenario, _cause(found, node.name)), found)
        if (lacking := unmet(case.scenario.needs, node) or unmet(case.needs, node)) is not None:
            raise DoesNotApplyError(lacking)
        expected = node.expected.certifying(case.requirements)
        if (own := visit.own_part(case.scenario, node.name)) is not None:
            expected = expected.telling(partial(node.timeline.between, *own))
        return expected, found

    def keep_evidence(self, name: str, case: CaseDeclaration, spot: Spot, *, ask: bool = True) -> None:
        """Take the evidence of the place of a case that did not pass, once for all cases there, for the report.

        The timeline is that of the stay in the cell. A scenario that ends the stay has evidence of its own.

        Args:
            name: Id of the case.
            case: Its declaration.
            spot: Its place.
            ask: Whether the API server may be asked for logs and events.
        """
        stop = Stop.of(spot)
        key = f"{spot.node} in {stop.cell}" if stop.changes else f"{spot.node} as found"
        visit = self.visit(spot)
        own = visit.own_part(case.scenario, spot.node) if visit else None
        if own is not None:
            key += f": {case.scenario.summary}"
        if key not in self._run.evidence:
            if len(self._run.evidence) >= MOST_PLACES:
                return
            node = visit.nodes.get(spot.node) if visit else None
            log = node.arrival.reconfiguration.manager_log if node and node.arrival and own is None else ()
            marks = own or (node.mark if node else self.doubts.mark(stop), None)
            self._run.evidence[key] = take_evidence(self._cluster, spot.node, marks, log, ask=ask)
        self._run.evidence_of[name] = key

    def visit(self, spot: Spot) -> Visit | None:
        """Return the visit of the stop of a case; None before it."""
        return self._visits.get(Stop.of(spot))

    # Visiting stops ----------------------------------------------------------------------------------------------

    def _at(self, name: str, stop: Stop, moment: Moment) -> Visit:
        """Return the visit of a stop once the evidence of the given moment is complete."""
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
        self.doubts.begin(stop)
        visit = Visit(stop, self.agenda)
        try:
            if stop.changes:
                self._work.bring(visit)
                self.doubts.reach_back(stop, filter(None, (node.arrival for node in visit.nodes.values())))
            else:
                self._work.find(visit)
        except Exception as error:
            self._errors[stop] = error
            raise
        self._visits[stop] = self._current = visit
        return visit

    def _leave(self) -> None:
        if self._current is not None:
            self._current.leave()

    def _switched(self, name: str, stop: Stop) -> Visit:
        """Change the strategy on the first call, for all nodes at once because it is a setting of the cluster."""
        switching = self._switching
        if not switching.made:
            switching.made = True
            try:
                for before in switching.stops():
                    if before not in self._visits:
                        self._enter(before)
                self._leave()
                self.tell(len(self._run.visited), self.agenda.states, "the change of strategy")
                now = self._cluster.timeline.now()
                for node, (_, spot) in self.agenda.switch.items():
                    self._run.begin_stay(node, now, spot.cell.strategy, spot.cell.configuration)
                with self._run.spending(Spent.STRATEGY):
                    switching.make(self._visits)
            except (CanaryFailedError, *ENDS_THE_RUN):
                raise
            except Exception as error:  # noqa: BLE001 - the first case that watches the change reports it
                switching.error = error
        if switching.error is not None:
            raise self._once(name, ("switch",), switching.error)
        return self._visits[stop]

    def _finish(self) -> None:
        """Visit all remaining stops, wait once for the capacity grace on all nodes, and complete all evidence."""
        if self._finished:
            return
        self._finished = True
        for stop in self.agenda.stops:
            if stop not in self._visits:
                try:
                    self._enter(stop)
                except ENDS_THE_RUN:
                    raise
                except ClusterError:  # the first case of this stop reports it
                    continue
        self._leave()
        self.tell(len(self._run.visited), self.agenda.states, "kubelet's grace period for removed resources")
        watched = {
            node.name
            for visit in self._visits.values()
            for node in visit.nodes.values()
            if node.arrived and self.agenda.scenarios(visit.stop, node.name, moment=Moment.AT_END)
        }
        with self._run.spending(Spent.GRACE):
            surviving(side_by_side(self._cluster, watched, self._await_grace))
        for visit in self._visits.values():
            for node in visit.nodes.values():
                if node.arrived:
                    visit.observe(node, Moment.AT_END)

    def _await_grace(self, name: str) -> None:
        def forgotten() -> bool:
            view = self._cluster.node(name)
            return not still_counted(view.allocatable, view.capacity)

        limit = self._cluster.limits.capacity_grace
        self._cluster.give_time(forgotten, "kubelet to forget resources that are gone", limit, node=name)

    # Errors for cases --------------------------------------------------------------------------------------------

    def _refuse_blocked(self, case: CaseDeclaration, stop: Stop, node: NodeInCell) -> None:
        arrival = node.arrival
        if case.tells_arrival or arrival is None or arrival.reached:
            return
        teller = self.agenda.arrival_cases.get((stop, node.name), "a case that was not selected")
        raise BlockedError(
            f"blocked by {teller}: node {node.name} did not reach {node.cell}: {arrival.reconfiguration.problem}"
        )

    def _once(self, name: str, key: tuple[object, ...], error: Exception) -> Exception:
        """Return the error itself for the first case that asks, and for all others a BlockedError naming that case.

        One defect would otherwise fail every case that depends on it. What keeps the suite from judging is told to all.
        """
        if isinstance(error, InconclusiveError):
            return error
        reporter = self._reporters.setdefault(key, name)
        return error if reporter == name else BlockedError(f"blocked by {reporter}: {error}")

    def _stop_after_a_failed_canary(self, stop: Stop) -> None:
        if not self._canary or stop.wave <= FIRST_WAVE:
            return
        if any(case.id in self._canary_cases for case in self._run.failures()):
            raise CanaryFailedError("a case failed on the canary nodes: no other node is changed")
        if self._canary_cases & (self._run.inconclusive | self._run.postponed):
            raise CanaryFailedError("a case could not be judged on the canary nodes: no other node is changed")


def _cause(error: Exception, node: str) -> str:
    """Return the error as text without the name of the node, so that the same error on many nodes is reported once."""
    return f"{type(error).__name__}: {error}".replace(node, "")
