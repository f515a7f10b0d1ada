"""Targets, cells, plans and scenarios as small as a test needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from conformance.backends.backend import EVERYTHING, Permissions
from conformance.expect.kinds import GeometryKind
from conformance.operations.mig_cluster import MigCluster
from conformance.spec.mig_parted import parse
from conformance.spec.names import Strategy
from conformance.suite.case import CaseDeclaration
from conformance.suite.cells import EVERY_CELL, Cell, CellSelection
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.options import Options
from conformance.suite.pace import max_unavailable
from conformance.suite.planning import Planner
from conformance.suite.scenario import AnyScenario, ClusterScenario, Effect, Leaves, Moment, Needs, Nodes, Scenario
from conformance.suite.targets import Target

H100: Final = "NVIDIA H100 80GB HBM3"
CONFIGURATION: Final = """
version: v1
mig-configs:
  all-disabled: [{devices: all, mig-enabled: false}]
  all-enabled: [{devices: all, mig-enabled: true, mig-devices: {}}]
  all-1g.10gb: [{devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}}]
  all-2g.20gb: [{devices: all, mig-enabled: true, mig-devices: {2g.20gb: 3}}]
  all-balanced: [{devices: all, mig-enabled: true, mig-devices: {1g.10gb: 2, 2g.20gb: 1, 3g.40gb: 1}}]
"""
KINDS: Final[Mapping[str, GeometryKind]] = {
    "all-disabled": GeometryKind.OFF,
    "all-enabled": GeometryKind.EMPTY,
    "all-1g.10gb": GeometryKind.UNIFORM,
    "all-2g.20gb": GeometryKind.UNIFORM,
    "all-balanced": GeometryKind.UNEVEN,
}
PARSED: Final = parse(CONFIGURATION)
DISRUPTIVE: Final = Permissions(disruptive=True)


def cell(text: str) -> Cell:
    """Read the id of a cell."""
    strategy, _, configuration = text.partition("-")
    return Cell(Strategy(strategy), configuration)


def target(name: str = "sim-0", configurations: Iterable[str] = KINDS, product: str = H100) -> Target:
    """A node that offers these of the configurations above."""
    kinds = {configuration: KINDS[configuration] for configuration in configurations}
    return Target(name, product, f"{name}-mig-config", PARSED, kinds)


def options(**chosen: Any) -> Options:
    """What a user asks for who gives these options and no other; `max_unavailable` as on the command line."""
    if unavailable := chosen.get("max_unavailable"):
        chosen["max_unavailable"] = max_unavailable(unavailable)
    return Options(**chosen)


def planner(
    *targets: Target,
    strategy: Strategy = Strategy.SINGLE,
    permissions: Permissions = EVERYTHING,
    found: Mapping[str, str] | None = None,
    in_use: Mapping[str, str] | None = None,
    simulated: bool = False,
    **chosen: Any,
) -> Planner:
    """A planner for these nodes, each found in the cell that `found` names; `chosen` are options."""
    return Planner(
        targets={each.name: each for each in targets},
        options=options(**chosen),
        permissions=permissions,
        strategy=strategy,
        found={name: cell(text) for name, text in (found or {}).items()},
        in_use=in_use or {},
        simulated=simulated,
    )


def _nothing(_: NodeInCell) -> Any:
    return None


class MadeUp(Scenario[Any, Any]):
    """Does what a test says; `scenario` makes one.

    Attributes:
        done: Told each step, as `start NAME NODE`; shared with what else the test records.
        begin: What `start` does and gives.
        look: What `observe` does and gives.
    """

    def __init__(self, done: list[str], begin: Callable[[NodeInCell], Any], look: Callable[[NodeInCell], Any]) -> None:
        self.done = done
        self.begin = begin
        self.look = look

    def start(self, node: NodeInCell) -> Any:
        self.done.append(f"start {self.name} {node.name}")
        return self.begin(node)

    def observe(self, node: NodeInCell, started: Any) -> Any:
        self.done.append(f"observe {self.name} {node.name}")
        return self.look(node) or started


class MadeUpForAll(MadeUp, ClusterScenario[Any, Any]):
    """Does what a test says, on all nodes at once."""

    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        del cluster, nodes
        self.done.append(f"change {self.name}")

    def undo(self, cluster: MigCluster, nodes: Nodes) -> None:
        del cluster, nodes
        self.done.append(f"undo {self.name}")

    def settle(self, node: NodeInCell, evidence: Any) -> Any:
        self.done.append(f"settle {self.name} {node.name}")
        return evidence


def scenario(
    name: str = "Look",
    done: list[str] | None = None,
    *,
    effect: Effect = Effect.READONLY,
    moment: Moment = Moment.IN_CELL,
    needs: Needs | None = None,
    exclusive: bool = False,
    leaves: Leaves | None = None,
    cluster_wide: bool = False,
    as_found: bool = False,
    begin: Callable[[NodeInCell], Any] = _nothing,
    look: Callable[[NodeInCell], Any] = _nothing,
) -> AnyScenario:
    """A made-up scenario with this declaration."""
    declared = {
        "summary": name, "effect": effect, "moment": moment, "needs": needs or Needs(), "exclusive": exclusive,
        "leaves": leaves or Leaves(), "cost": 1.0, "as_found": as_found,
    }  # fmt: skip
    kind = type(name, (MadeUpForAll if cluster_wide else MadeUp,), declared)
    return cast("AnyScenario", kind([] if done is None else done, begin, look))


def declared(
    name: str,
    scenario: AnyScenario,
    cells: CellSelection = EVERY_CELL,
    *,
    requirements: tuple[str, ...] = ("D-01",),
    needs: Needs | None = None,
    tells_arrival: bool = False,
) -> CaseDeclaration:
    """A case that looks at a scenario."""
    return CaseDeclaration(
        name, requirements, scenario, cells, needs=needs or Needs(gpus=0), tells_arrival=tells_arrival
    )
