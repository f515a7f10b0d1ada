"""Scenarios: a mig-parted file with configurations that cannot be applied, and one that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from conformance.expect.catalogue import offered_by_any
from conformance.expect.node import ExpectedNode
from conformance.expect.observed import ObservedGpu
from conformance.expect.trial import Trial
from conformance.operations.fields import config_map_key
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.side_by_side import results, side_by_side
from conformance.spec.mig_parted import ALL_ENABLED, Entry
from conformance.spec.names import CONFIG_KEY
from conformance.spec.profile import Profile
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.own_file import OWN_CONFIG_MAP, OwnFileScenario, as_text, for_each_model, halves, smallest
from conformance.suite.scenario import Nodes
from conformance.suite.trials import attempt, recover

TOO_MANY: Final = "suite-one-too-many"
NO_ROOM: Final = "suite-no-room"
FOREIGN: Final = "suite-foreign"
_FOREIGN_PROFILES: Final = ("1g.5gb", "1g.6gb", "1g.7gb")
"""Profiles of the smallest GPUs with MIG; no GPU has more than one of them."""


@dataclass(frozen=True)
class Impossible:
    """Configurations that cannot be applied, requested on one node, and the configuration of the cell after each.

    Attributes:
        too_many: More instances of a profile than fit, as the first change of mig-manager's process.
        after_too_many: The configuration of the cell.
        no_room: Two halves of a GPU and one instance more, after that change succeeded in the same process.
        after_no_room: The configuration of the cell.
        foreign: What the node must show after a request for a profile that no GPU offers.
        wiped: That request.
        after_wipe: The configuration of the cell.
    """

    too_many: Trial
    after_too_many: Trial
    no_room: Trial
    after_no_room: Trial
    foreign: ExpectedNode
    wiped: Trial
    after_wipe: Trial


class RequestImpossible(OwnFileScenario[Impossible]):
    """Puts a file in force whose configurations do not fit the GPUs, and requests them one after the other."""

    summary: ClassVar = "request configurations that do not fit the GPUs, and the one of the cell after each"
    cost: ClassVar = 70.0

    def configurations(self, gpus: Sequence[ObservedGpu]) -> Mapping[str, Iterable[Entry]]:
        """Layouts with too many instances, without room for all, and with a profile that no GPU offers."""
        return {
            TOO_MANY: for_each_model(gpus, [(None, too_many)]),
            NO_ROOM: for_each_model(gpus, [(None, no_room)]),
            FOREIGN: [Entry(None, enabled=True, mig_devices={foreign_profile(gpus): 1})],
        }

    def observe(self, node: NodeInCell, started: None) -> Impossible:
        """Make the requests."""
        del started
        over = attempt(node, TOO_MANY)
        after_over = recover(node)
        full = attempt(node, NO_ROOM)
        after_full = recover(node)
        entries = tuple(self.configurations(self.gpus)[FOREIGN])
        expected = node.expected.asked_for(FOREIGN, after_full.after.gpus, entries)
        wiped = attempt(node, FOREIGN, resources=expected.resources)
        return Impossible(over, after_over, full, after_full, expected, wiped, recover(node))


@dataclass(frozen=True)
class BrokenFile:
    """Requests while the mig-parted file cannot be read, on one node.

    Attributes:
        malformed: The file is no YAML.
        gone: The ConfigMap has no key for the file.
        half: One configuration of the file is wrong, and another one is requested.
        repaired: The configuration of the cell, once the file is right again.
    """

    malformed: Trial
    gone: Trial
    half: Trial
    repaired: Trial


class BreakFile(OwnFileScenario[BrokenFile]):
    """Puts a file in force, breaks it in several ways, and requests a configuration each time."""

    summary: ClassVar = "break the mig-parted file in several ways, request a configuration each time, and repair it"
    cost: ClassVar = 425.0

    def __init__(self) -> None:
        super().__init__()
        self._trials: dict[str, list[Trial]] = {}

    def configurations(self, gpus: Sequence[ObservedGpu]) -> Mapping[str, Iterable[Entry]]:
        """One configuration that every GPU can take."""
        del gpus
        return {ALL_ENABLED: [Entry(None, enabled=True, mig_devices={})]}

    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Put the file in force; break it, and request a configuration on all nodes, several times."""
        super().change(cluster, nodes)
        whole = cluster.config_map(OWN_CONFIG_MAP) or {}
        text = whole[CONFIG_KEY]
        self._trials = {name: [] for name in nodes}
        wrong = as_text({"suite-wrong": [Entry(None, enabled=True, mig_devices={"1g.10gb": -1})]})
        for broken in ("version: v1\nmig-configs: {]", None, text + wrong.partition("mig-configs:\n")[2]):
            self._request(cluster, nodes, broken, lambda node: attempt(node, ALL_ENABLED))
        self._request(cluster, nodes, text, recover)

    def observe(self, node: NodeInCell, started: None) -> BrokenFile:
        """Return what came of the requests."""
        del started
        return BrokenFile(*self._trials[node.name])

    def _request(
        self, cluster: MigCluster, nodes: Nodes, text: str | None, request: Callable[[NodeInCell], Trial]
    ) -> None:
        """Change the file, give kubelet the time to show it to mig-manager, and make a request on all nodes."""
        cluster.change(config_map_key(cluster.operator_namespace, OWN_CONFIG_MAP, CONFIG_KEY), text)
        cluster.observe(lambda: False, cluster.limits.edit_ignored, "kubelet to show the edited ConfigMap", None)
        found = results(side_by_side(cluster, nodes, lambda name: request(nodes[name])))
        for name, trial in found.items():
            self._trials[name].append(trial)


def too_many(gpu: ObservedGpu) -> dict[str, int]:
    """Return a layout with one instance more than fits."""
    return {profile: count + 1 for profile, count in smallest(gpu).items()}


def no_room(gpu: ObservedGpu) -> dict[str, int]:
    """Return a layout of two halves of a GPU and one small instance: of seven slices one is free, but no memory."""
    both, small = halves(gpu), next(iter(smallest(gpu)))
    return too_many(gpu) if small in both else {**both, small: 1}


def foreign_profile(gpus: Sequence[ObservedGpu]) -> str:
    """Return a profile that none of the GPUs offers."""
    return next(name for name in _FOREIGN_PROFILES if not offered_by_any(gpus, Profile.parse(name)))
