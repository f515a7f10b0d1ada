"""Scenarios that only read: nodes that MIG does not concern, and what a node needs for MIG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from conformance.cluster.client import Cluster
from conformance.expect.device_plugin import refusal
from conformance.expect.geometry import wanted_geometry
from conformance.expect.scope import OtherNode, Prerequisites
from conformance.expect.versions import COMPONENTS, ComponentImages, Declared, read_declarations
from conformance.operations.selection import nodes_without_mig
from conformance.spec.names import (
    CUDA_DRIVER_VERSION,
    DEVICE_PLUGIN_APP,
    FEATURE_DISCOVERY_APP,
    MIG_CONFIG_STATE,
    MIG_MANAGER_APP,
)
from conformance.suite.as_found import gpus_by_label
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, Moment, Needs, Scenario

_NEEDED: Final = (MIG_MANAGER_APP, DEVICE_PLUGIN_APP, FEATURE_DISCOVERY_APP)


@dataclass(frozen=True)
class Scope:
    """Which nodes MIG concerns.

    Attributes:
        others: The nodes of the cluster without a GPU that can do MIG.
    """

    others: tuple[OtherNode, ...]


@dataclass(frozen=True)
class Needed:
    """What a node needs for MIG.

    Attributes:
        found: As found.
    """

    found: Prerequisites


@dataclass(frozen=True)
class Images:
    """The images of the operands of a node.

    Attributes:
        components: One for each component that can be declared.
    """

    components: tuple[ComponentImages, ...]


class LookAtOtherNodes(Scenario[None, Scope]):
    """Reads labels and pods of nodes without MIG, and what the watches saw of them since the run began."""

    summary: ClassVar = "look at the nodes without MIG"
    effect: ClassVar = Effect.READONLY
    moment: ClassVar = Moment.WHEN_LEFT
    needs: ClassVar = Needs(node_without_mig=True)

    def start(self, node: NodeInCell) -> None:
        """Do nothing: the timeline records the changes."""

    def observe(self, node: NodeInCell, started: None) -> Scope:
        """Describe every node without MIG."""
        del started
        return Scope(tuple(_other(node.cluster, other.name) for other in nodes_without_mig(node.cluster)))


class LookAtPrerequisites(Scenario[None, Needed]):
    """Reads the ClusterPolicies, and the operands of the node with their Events."""

    summary: ClassVar = "look at the operands that MIG needs, at their Events, and at the driver"
    effect: ClassVar = Effect.READONLY
    needs: ClassVar = Needs(gpus=0)
    as_found: ClassVar = True

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> Needed:
        """Read them."""
        del started
        cluster, labels = node.cluster, node.cluster.node(node.name).labels
        needed = [app for app in _NEEDED if app not in _may_crash(node)]
        found = Prerequisites(
            policies=tuple(policy.name for policy in cluster.policies()),
            manager_enabled=cluster.policy().manager_enabled,
            operands={app: _how(cluster, node.name, app) for app in needed},
            warnings={app: _warnings(node, app) for app in needed},
            driver=labels.get(CUDA_DRIVER_VERSION, ""),
            labels=labels,
        )
        return Needed(found)


class LookAtImages(Scenario[None, Images]):
    """Reads the images of DaemonSets and pods, and what the ClusterPolicy and the user's file declare."""

    summary: ClassVar = "look at the images of the operands, and at what declares them"
    effect: ClassVar = Effect.READONLY
    needs: ClassVar = Needs(gpus=0)
    as_found: ClassVar = True

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> Images:
        """Read them."""
        del started
        places = {"ClusterPolicy": read_declarations(node.cluster.policy().spec), "--declared-versions": node.declared}
        return Images(tuple(_images(node, name, places) for name in COMPONENTS))


def _may_crash(node: NodeInCell) -> tuple[str, ...]:
    """The apps that cannot run: the device plugin, if it must refuse the geometry of the node's configuration."""
    gpus = gpus_by_label(node.target, node.cell, node.cluster.node(node.name).labels)
    wanted = wanted_geometry(gpus, node.target.entries(node.cell.configuration))
    refused = refusal(wanted, node.cell.strategy, node.expected.device_plugin)
    return (DEVICE_PLUGIN_APP,) if refused else ()


def _images(node: NodeInCell, name: str, places: Mapping[str, Mapping[str, Declared]]) -> ComponentImages:
    app, container = COMPONENTS[name]
    view = node.cluster.daemon_set(app)
    found = {f"DaemonSet {app}": view.images.get(container, "")} if view else {}
    found |= {f"pod {pod.name}": pod.images.get(container, "") for pod in node.cluster.operands(node.name, app)}
    declared = {place: by_component[name] for place, by_component in places.items() if name in by_component}
    return ComponentImages(name, declared, {where: image for where, image in found.items() if image})


def _other(cluster: Cluster, name: str) -> OtherNode:
    lives = [life.name for life in cluster.timeline.pods(name) if life.app == MIG_MANAGER_APP]
    pods = [pod.name for pod in cluster.operands(name, MIG_MANAGER_APP)]
    states = [value for value in cluster.timeline.values(MIG_CONFIG_STATE, name) if value]
    return OtherNode(name, cluster.node(name).labels, tuple(dict.fromkeys([*lives, *pods])), tuple(states))


def _warnings(node: NodeInCell, app: str) -> tuple[str, ...]:
    pods = [pod for pod in node.cluster.operands(node.name, app) if not pod.terminating]
    return tuple(dict.fromkeys(warning for pod in pods for warning in node.warnings.about(pod)))


def _how(cluster: Cluster, node: str, app: str) -> str:
    pods = [pod for pod in cluster.operands(node, app) if not pod.terminating]
    if any(pod.ready for pod in pods):
        return "Ready"
    if cluster.daemon_set(app) is None:
        return "no DaemonSet"
    return "; ".join(", ".join(pod.waiting.values()) or pod.phase for pod in pods) or "no pod on the node"
