"""Carries out the agenda stop by stop, on all nodes of a wave in parallel, and keeps the evidence for the cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from conformance.cluster.errors import ClusterError, InconclusiveError, WaitTimeout
from conformance.expect.kinds import geometry_kind
from conformance.expect.node import ExpectedNode
from conformance.operations.side_by_side import side_by_side, surviving
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
        tell: Callback for progress: number of states begun, number of states in total, current activity.
    """

    def __init__(self, provisioner: Provisioner, run: Run, *, canary: bool = False) -> None:
        self._provisioner = provisioner
        self._cluster = provisioner.cluster
        self._run = run
        self._canary = canary
        self._visits: dict[Stop, Visit] = {}
        self._marks: dict[Stop, int] = {}
        self._errors: dict[Stop, Exception] = {}
        self._current: Visit | None = None
        self._reporters: dict[tuple[object, ...], str] = {}
        self._canary_cases: set[str] = set()
        self._finished = False
        self._ended: Exception | None = None
        self.tell: Callable[[int, int, str], None] = lambda *_: None
        self.follow(Agenda())

    def follow(self, agenda: Agenda) -> None:
        """Set the agenda. Call this once, before the first case."""
        self.agenda = agenda
        self._switching = Switching(agenda, self._provisioner)

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
        if not case.cells.takes(spot.cell.strategy, kind := geometry_kind(node.expected.wanted)):
            raise DoesNotApplyError(f"the geometry of node {node.name} is {kind}: GPUs without an entry kept theirs")
        found = self._switching.evidence(node.name) if spot.after else visit.evidence(case.scenario, node.name)
        if isinstance(found, Exception):
            raise self._once(name, (stop, case.scenario, _cause(found, node.name)), found)
        if (lacking := unmet(case.scenario.needs, node) or unmet(case.needs, node)) is not None:
            raise DoesNotApplyError(lacking)
        return node.expected.certifying(case.requirements), found

    def trouble(self, spot: Spot) -> str:
        """Describe what else than the product may have made a case fail since its stop began; empty if nothing did.

        Changes that the watches have not delivered yet count too.
        """
        try:
            self._cluster.catch_up(spot.node)
        except InconclusiveError as error:
            return str(error)
        mark = self._marks.get(Stop.of(spot), 0)
        return self._cluster.guard.trouble(spot.node, mark, self._cluster.operator_namespace)

    def record(self, spot: Spot) -> dict[str, str]:
        """Return text to attach to a failed case, by title: the timeline of its node and the mig-manager log.

        The timeline begins before the first change on the way to the cell. Empty if the node was never there.
        """
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
        self._marks[stop] = self._cluster.timeline.mark() if stop.changes else 0
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
        """Observe nodes in the cell in which they were found, without changing them."""
        for name in self.agenda.stops.get(visit.stop, {}):
            with visit.losing(name):
                self._cluster.guard.check(name)
                node = visit.nodes[name] = self._provisioner.find(name, visit.stop.cell)
                visit.start(node)
                visit.observe(node, Moment.IN_CELL)

    def _bring(self, visit: Visit) -> None:
        """Bring the nodes to a cell and run the scenarios on each node as soon as it arrives."""
        stop, names = visit.stop, list(self.agenda.stops.get(visit.stop, {}))
        self._run.asked.add(str(stop))
        self._run.made += 1
        self._run.visited.append(str(stop))
        self.tell(self._run.made, self.agenda.states, str(stop))
        free = self._begin(visit, names)
        if not free:
            return
        with self._run.spending(Spent.STRATEGY):
            self._provisioner.change_strategy(stop.cell.strategy)

        # side_by_side runs `bring` in one thread for each node: a node spends its time waiting for watches, and a slow
        # or broken node must not hold up the others.
        def bring(name: str) -> None:
            self._cluster.guard.check(name)
            node = visit.nodes[name] = self._provisioner.bring(name, stop.cell)
            if node.arrived:
                self._run_scenarios(visit, node)
            else:
                visit.look_at_arrival(node)

        with self._run.spending(Spent.SCENARIOS):
            outcomes = side_by_side(self._cluster, free, bring, self._tell_nodes(stop))
        self._count_reconfigurations(visit)
        for name, outcome in outcomes.items():
            if isinstance(outcome, ENDS_THE_RUN):
                raise outcome
            if isinstance(outcome, Exception):
                visit.broken[name] = outcome
        self._run_cluster_wide(visit)
        self._count_requests(visit)

    def _count_requests(self, visit: Visit) -> None:
        """Count the configurations that scenarios requested: each is a state that the run asked for, on all nodes."""
        asked = {f"{visit.stop}, then {at}. {name}" for node in visit.nodes.values() for at, name in _numbered(node)}
        self._run.asked |= asked
        self._run.made += len(asked)

    def _begin(self, visit: Visit, names: list[str]) -> list[str]:
        """Return the nodes that may be changed. One that is lost, or whose GPUs somebody uses, is left out by name."""
        for name in names:
            with visit.losing(name):
                self._cluster.guard.check(name)
                self._provisioner.keeping.begin([name])
        return [name for name in names if name not in visit.broken]

    def _count_reconfigurations(self, visit: Visit) -> None:
        """Move the time of the slowest reconfiguration at a stop from `Spent.SCENARIOS` to its own entry.

        Nodes reconfigure in parallel, so only the slowest counts. Cluster seconds are converted to wall time.
        """
        found = [node.arrival.reconfiguration for node in visit.nodes.values() if node.arrival is not None]
        longest = max(((it.settled or it.answered or it.started) - it.started for it in found), default=0.0)
        self._run.spent[Spent.RECONFIGURATIONS] += longest / self._cluster.clock.scale
        self._run.spent[Spent.SCENARIOS] -= longest / self._cluster.clock.scale

    def _run_scenarios(self, visit: Visit, node: NodeInCell) -> None:
        """Run the scenarios of a node in its cell: shared ones together, then exclusive ones one after another."""
        provisioner = self._provisioner

        def start() -> None:
            provisioner.settle_resources(node)
            visit.start(node, exclusive=False)

        try:
            provisioner.read_gpus(node, start)
            provisioner.settle_labels(node)
            node.at_rest = self._cluster.timeline.mark()
            visit.observe(node, Moment.IN_CELL, exclusive=False)
        finally:
            node.workloads.remove()
        self._run_exclusive(visit, node)

    def _run_exclusive(self, visit: Visit, node: NodeInCell) -> None:
        """Run the exclusive scenarios of a node, and bring it back to its cell where one of them has left it."""
        for scenario in visit.exclusive(node):
            self._provisioner.return_to_cell(node)
            visit.do_exclusive(node, scenario)
            if scenario.ends_stay:
                self._provisioner.forget(node.name)

    def _run_cluster_wide(self, visit: Visit) -> None:
        """Run the scenarios that change the whole cluster, one after another on all nodes at the stop."""
        provisioner = self._provisioner
        for scenario in visit.cluster_wide():
            self.tell(self._run.made, self.agenda.states, f"{visit.stop}: {scenario.summary}")
            with self._run.spending(Spent.SCENARIOS):
                side_by_side(self._cluster, visit.nodes, lambda name: provisioner.return_to_cell(visit.nodes[name]))
                visit.do_cluster_wide(scenario, self._cluster)
            for name in provisioner.targets:
                provisioner.forget(name)

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
                self.tell(self._run.made, self.agenda.states, "the change of strategy")
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
        self.tell(self._run.made, self.agenda.states, "kubelet's grace period for removed resources")
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

        with suppress(WaitTimeout):  # a resource that is still counted is a finding of the case
            limit = self._cluster.limits.capacity_grace
            self._cluster.wait(forgotten, "kubelet to forget resources that are gone", limit, node=name)

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
        if self._canary_cases & self._run.inconclusive:
            raise CanaryFailedError("a case could not be judged on the canary nodes: no other node is changed")

    def _tell_nodes(self, stop: Stop) -> Callable[[int, int], None]:
        return lambda done, of: self.tell(self._run.made, self.agenda.states, f"{stop}: {done} of {of} nodes done")


def _numbered(node: NodeInCell) -> Iterator[tuple[int, str]]:
    return enumerate(node.requested, start=1)


def _cause(error: Exception, node: str) -> str:
    """Return the error as text without the name of the node, so that the same error on many nodes is reported once."""
    return f"{type(error).__name__}: {error}".replace(node, "")
