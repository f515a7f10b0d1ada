"""Scenario: look at a node as it was found, before the run changes anything, whoever made its MIG devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from conformance.cluster.errors import ClusterError
from conformance.expect.as_configured import check_labels_as_configured
from conformance.expect.as_found import check_counts, check_settled
from conformance.expect.finding import ConformanceError
from conformance.expect.instance_list import read_gpu_instances
from conformance.expect.observed import ListedGpu, ObservedGpu, ObservedGpuInstance
from conformance.spec.mig_parted import Configurations, Entry
from conformance.spec.names import COMPUTE_MAJOR
from conformance.suite.as_found import gpus_by_label
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, Needs, Scenario


@dataclass(frozen=True)
class AsFound:
    """A node as it was found.

    Attributes:
        labels: All labels.
        allocatable: Resources that pods may ask for.
        offered: Names of the configurations in the node's file.
        models: Number of GPU models that the node has; None if unknown. The labels describe one of them.
    """

    labels: Mapping[str, str]
    allocatable: Mapping[str, int]
    offered: tuple[str, ...]
    models: int | None


@dataclass(frozen=True)
class Listed:
    """The devices of a node as it was found.

    Attributes:
        labels: All labels.
        listing: What `nvidia-smi -L` lists in the driver pod.
        instances: What `nvidia-smi mig -lgi` lists there, by index of the GPU.
    """

    labels: Mapping[str, str]
    listing: tuple[ListedGpu, ...]
    instances: Mapping[int, tuple[ObservedGpuInstance, ...]]


@dataclass(frozen=True)
class Configured:
    """A node as it was found, with the configuration that mig-manager has applied.

    Attributes:
        labels: All labels.
        gpus: Its GPUs as labels describe them; only under `mixed` is their number that of the node.
        entries: Entries of the configuration that its label names.
    """

    labels: Mapping[str, str]
    gpus: tuple[ObservedGpu, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class ListedAsConfigured:
    """The devices of a node as it was found, with the configuration that mig-manager has applied.

    Attributes:
        listing: What `nvidia-smi -L` lists in the driver pod.
        entries: Entries of the configuration that its label names.
        capability: Compute capability of the GPUs, by the labels; (0, 0) if they do not say.
    """

    listing: tuple[ListedGpu, ...]
    entries: tuple[Entry, ...]
    capability: tuple[int, int]


@dataclass(frozen=True)
class Offered:
    """The configurations that a node is offered, as it was found.

    Attributes:
        gpus: Its GPUs as labels describe them; their number may be another one.
        configurations: All configurations of its file.
    """

    gpus: tuple[ObservedGpu, ...]
    configurations: Configurations


class LookAsFound(Scenario[None, AsFound]):
    """Reads labels and resources, once no change is going on and they agree, or the limits have passed."""

    summary: ClassVar = "read labels and resources of the node as it was found"
    effect: ClassVar = Effect.READONLY
    needs: ClassVar = Needs(gpus=0)
    as_found: ClassVar = True

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> AsFound:
        """Read the node."""
        del started
        _settle(node)
        limit, models = node.cluster.limits.labels, _models(node)
        node.cluster.give_time(lambda: _agree(node, models), "labels and resources to agree", limit, node=node.name)
        view = node.cluster.node(node.name)
        return AsFound(view.labels, view.allocatable, tuple(node.target.configurations.entries), models)


class ListAsFound(Scenario[None, Listed]):
    """Lists the devices with `nvidia-smi -L` in the driver pod."""

    summary: ClassVar = "list the devices of the node as it was found"
    effect: ClassVar = Effect.READONLY
    needs: ClassVar = Needs(gpus=0, execute=True)
    as_found: ClassVar = True

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> Listed:
        """Run the program in the driver pod."""
        del started
        listing, printed = _listing(node), node.workloads.instances_of_the_driver_pod() or ""
        if (instances := read_gpu_instances(printed)) is None:
            raise ClusterError(f"nvidia-smi mig -lgi lists no GPU instances on node {node.name}: {printed[:200]!r}")
        return Listed(node.cluster.node(node.name).labels, listing, instances)


class LookAsConfigured(Scenario[None, Configured]):
    """Reads the labels, once they are as the configuration makes them or `limits.labels` has passed."""

    summary: ClassVar = "read the labels of the node as it was found, and its configuration"
    effect: ClassVar = Effect.READONLY
    needs: ClassVar = Needs(gpus=0, applied=True, counted=True)
    as_found: ClassVar = True

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> Configured:
        """Read the node."""
        del started
        gpus = gpus_by_label(node.target, node.cell, node.cluster.node(node.name).labels)
        entries = node.target.entries(node.cell.configuration)
        context, limit = node.expected.context, node.cluster.limits.labels
        version = node.expected.device_plugin.version

        def follows() -> bool:
            labels = node.cluster.node(node.name).labels
            return not _fails(lambda: check_labels_as_configured(context, labels, gpus, entries, version))

        node.cluster.give_time(follows, "the labels of GPU Feature Discovery", limit, node=node.name)
        return Configured(node.cluster.node(node.name).labels, gpus, entries)


class LookAtOffers(Scenario[None, Offered]):
    """Reads the file of configurations."""

    summary: ClassVar = "read which configurations the node is offered as it was found"
    effect: ClassVar = Effect.READONLY
    needs: ClassVar = Needs(gpus=0, applied=True)
    as_found: ClassVar = True

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> Offered:
        """Return the file that was read when the run began."""
        del started
        gpus = gpus_by_label(node.target, node.cell, node.cluster.node(node.name).labels)
        return Offered(gpus, node.target.configurations)


class ListAsConfigured(Scenario[None, ListedAsConfigured]):
    """Lists the devices with `nvidia-smi -L` in the driver pod, to compare them with the configuration."""

    summary: ClassVar = "list the devices of the node as it was found, and read its configuration"
    effect: ClassVar = Effect.READONLY
    needs: ClassVar = Needs(gpus=0, execute=True, applied=True)
    as_found: ClassVar = True

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> ListedAsConfigured:
        """Run the program in the driver pod."""
        del started
        major = node.cluster.node(node.name).labels.get(COMPUTE_MAJOR, "")
        entries = node.target.entries(node.cell.configuration)
        return ListedAsConfigured(_listing(node), entries, (int(major) if major.isdigit() else 0, 0))


def _listing(node: NodeInCell) -> tuple[ListedGpu, ...]:
    if (listing := node.workloads.listed_by_the_driver_pod()) is None:
        raise ClusterError(f"node {node.name} has no driver pod that could list its devices")
    return listing


def _settle(node: NodeInCell) -> None:
    """Wait until no change is going on; one that does not end is for the case to judge."""
    context, limit = node.expected.context, node.cluster.limits.reconfigure

    def settled() -> bool:
        labels = node.cluster.node(node.name).labels
        return not _fails(lambda: check_settled(context, labels))

    node.cluster.give_time(settled, "the last change to end", limit, node=node.name)


def _agree(node: NodeInCell, models: int | None) -> bool:
    view, expected = node.cluster.node(node.name), node.expected
    plugin, strategy = expected.device_plugin, expected.strategy
    return not _fails(
        lambda: check_counts(expected.context, view.labels, view.allocatable, strategy, plugin, models=models)
    )


def _models(node: NodeInCell) -> int | None:
    """Return the number of models that the driver pod lists, or else those that mig-manager generated a file for."""
    listed = node.workloads.listed_by_the_driver_pod() if node.workloads.may_execute else None
    if known := listed or node.target.unlike:
        return len({gpu.name for gpu in known})
    return 1 if node.target.generated else None


def _fails(check: Callable[[], None]) -> bool:
    try:
        check()
    except ConformanceError:
        return True
    return False
