"""The work at one stop: brings its nodes to the cell, and runs the scenarios on each of them as soon as it arrives."""

from __future__ import annotations

from collections.abc import Callable

from conformance.operations.side_by_side import side_by_side
from conformance.report.run import Run, Spent
from conformance.suite.agenda import Agenda, Stop
from conformance.suite.convergence import convergence
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.provisioning import Provisioner
from conformance.suite.scenario import Moment
from conformance.suite.visit import ENDS_THE_RUN, Visit


class StopWork:
    """Fills the visit of a stop.

    Args:
        agenda: The work of the run.
        provisioner: Changes the cluster.
        run: Record for the report.
        tell: Callback for progress: number of states begun, number of states in total, current activity.
    """

    def __init__(
        self, agenda: Agenda, provisioner: Provisioner, run: Run, tell: Callable[[int, int, str], None]
    ) -> None:
        self._agenda = agenda
        self._provisioner = provisioner
        self._cluster = provisioner.cluster
        self._run = run
        self._tell = tell

    def find(self, visit: Visit) -> None:
        """Observe nodes in the cell in which they were found, without changing them."""
        for name in self._agenda.stops.get(visit.stop, {}):
            with visit.losing(name):
                self._cluster.guard.check(name)
                node = visit.nodes[name] = self._provisioner.find(name, visit.stop.cell)
                self._run.begin_stay(name, 0.0, visit.stop.cell.strategy, visit.stop.cell.configuration)
                visit.start(node)
                visit.observe(node, Moment.IN_CELL)

    def bring(self, visit: Visit) -> None:
        """Bring the nodes to a cell and run the scenarios on each node as soon as it arrives."""
        stop, names = visit.stop, list(self._agenda.stops.get(visit.stop, {}))
        self._run.asked.add(str(stop))
        self._run.made += 1
        self._run.visited.append(str(stop))
        self._tell(len(self._run.visited), self._agenda.states, str(stop))
        free = self._begin(visit, names)
        if not free:
            return
        for name in free:
            self._run.begin_stay(name, self._cluster.timeline.now(), stop.cell.strategy, stop.cell.configuration)
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
        self._run.measured += [(name, *took) for name, node in visit.nodes.items() for took in convergence(node)]
        for name, outcome in outcomes.items():
            if isinstance(outcome, ENDS_THE_RUN):
                raise outcome
            if isinstance(outcome, Exception):
                visit.broken[name] = outcome
        self._run_cluster_wide(visit)
        self._count_requests(visit)

    def _count_requests(self, visit: Visit) -> None:
        """Count the configurations that scenarios requested: each is a state that the run asked for, on all nodes."""
        nodes = visit.nodes.values()
        asked = {f"{visit.stop}, then {at}. {name}" for node in nodes for at, name in enumerate(node.requested, 1)}
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
            self._tell(len(self._run.visited), self._agenda.states, f"{visit.stop}: {scenario.summary}")
            with self._run.spending(Spent.SCENARIOS):
                side_by_side(self._cluster, visit.nodes, lambda name: provisioner.return_to_cell(visit.nodes[name]))
                visit.do_cluster_wide(scenario, self._cluster)
            for name in provisioner.targets:
                provisioner.forget(name)

    def _tell_nodes(self, stop: Stop) -> Callable[[int, int], None]:
        return lambda done, of: self._tell(
            len(self._run.visited), self._agenda.states, f"{stop}: {done} of {of} nodes done"
        )
