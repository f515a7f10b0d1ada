"""Scenario: look at a node as it was found, before the run changes anything, whoever made its MIG devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from conformance.cluster.errors import ClusterError
from conformance.expect.as_found import check_counts
from conformance.expect.finding import ConformanceError
from conformance.expect.observed import ListedGpu
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, Needs, Scenario


@dataclass(frozen=True)
class AsFound:
    """A node as it was found.

    Attributes:
        labels: All labels.
        allocatable: Resources that pods may ask for.
        offered: Names of the configurations in the node's file.
    """

    labels: Mapping[str, str]
    allocatable: Mapping[str, int]
    offered: tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """The devices of a node as it was found.

    Attributes:
        labels: All labels.
        listing: What `nvidia-smi -L` lists in the driver pod.
    """

    labels: Mapping[str, str]
    listing: tuple[ListedGpu, ...]


class LookAsFound(Scenario[None, AsFound]):
    """Reads labels and resources, once they agree or `limits.labels` has passed."""

    summary: ClassVar = "read labels and resources of the node as it was found"
    effect: ClassVar = Effect.READONLY
    as_found: ClassVar = True

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> AsFound:
        """Read the node."""
        del started
        limit = node.cluster.limits.labels
        node.cluster.give_time(lambda: _agree(node), "labels and resources to agree", limit, node=node.name)
        view = node.cluster.node(node.name)
        return AsFound(view.labels, view.allocatable, tuple(node.target.configurations.entries))


class ListAsFound(Scenario[None, Listed]):
    """Lists the devices with `nvidia-smi -L` in the driver pod."""

    summary: ClassVar = "list the devices of the node as it was found"
    effect: ClassVar = Effect.READONLY
    needs: ClassVar = Needs(execute=True)
    as_found: ClassVar = True

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> Listed:
        """Run the program in the driver pod."""
        del started
        if (listing := node.workloads.listed_by_the_driver_pod()) is None:
            raise ClusterError(f"node {node.name} has no driver pod that could list its devices")
        return Listed(node.cluster.node(node.name).labels, listing)


def _agree(node: NodeInCell) -> bool:
    view, expected = node.cluster.node(node.name), node.expected
    try:
        check_counts(expected.context, view.labels, view.allocatable, expected.strategy, expected.device_plugin)
    except ConformanceError:
        return False
    return True
