"""What one node must show in one cell: the expectation side of every case, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from conformance.expect.finding import CheckContext
from conformance.expect.geometry import WantedGpu, observed_geometry, wanted_geometry
from conformance.expect.label_changes import ExpectedChange
from conformance.expect.label_parts import Labels
from conformance.expect.labels import expected_labels
from conformance.expect.observed import Driver, ObservedGpu
from conformance.expect.resources import expected_resources, refusal
from conformance.expect.transitions import Course, expected_changes
from conformance.spec.mig_parted import Entry
from conformance.spec.names import DEVICE_PLUGIN_APP, GFD_TIMESTAMP, MIG_CONFIG_STATE, Strategy
from conformance.spec.profile import Profile


@dataclass(frozen=True)
class Approach:
    """How the suite brought a node to a cell, as far as expectations depend on it.

    Attributes:
        asked: Whether mig-manager was asked; False where the node had the configuration under another strategy already.
        labels_before: All labels of the node before anything was changed on the way, the strategy included.
        labels_when_asked: All labels of the node right before the request.
        resumed_before: Whether the same mig-manager process had brought a change to success before.
        strategy_changed: Whether the strategy was changed on the way.
    """

    asked: bool
    labels_before: Mapping[str, str]
    labels_when_asked: Mapping[str, str]
    resumed_before: bool
    strategy_changed: bool


FOUND_THERE = Approach(
    asked=False, labels_before={}, labels_when_asked={}, resumed_before=False, strategy_changed=False
)
"""Of a node that the suite did not bring to its cell but found there."""


@dataclass(frozen=True)
class ExpectedNode:
    """What one node must show in one cell.

    Attributes:
        context: Heads every message.
        strategy: Strategy of the cluster.
        wanted: The geometry that every GPU must carry.
        mig_manager: Tag of mig-manager, which decides about its writes and the configurations that it offers.
        device_plugin: Tag of the device plugin, which decides about names of resources.
        resources: What the node must advertise; empty for nothing.
        resources_of_other_strategy: What the same geometry is advertised as under the other strategy.
        refusal: What the device plugin's log must say where it cannot advertise the geometry; empty where it can.
        needs_work: Whether mig-manager was asked, and the GPUs had another geometry than the configuration asks for.
        restarted: Whether device plugin and GPU Feature Discovery must be other processes than before.
        label_changes: What mig-manager must write, in order; empty where it was not asked.
        features: What Node Feature Discovery found of the node, among all its labels.
        timestamp_before: Start of the GPU Feature Discovery process that labelled the node before; None for none.
    """

    context: CheckContext
    strategy: Strategy
    wanted: tuple[WantedGpu, ...]
    mig_manager: str
    device_plugin: str
    resources: Mapping[str, int]
    resources_of_other_strategy: Mapping[str, int]
    refusal: str = ""
    needs_work: bool = False
    restarted: bool = False
    label_changes: tuple[ExpectedChange, ...] = ()
    features: Mapping[str, str] = field(default_factory=dict)
    timestamp_before: str | None = None

    @property
    def resource_of_other_strategy(self) -> str:
        """One of the resources that the geometry is advertised as under the other strategy: the first by name."""
        return min(self.resources_of_other_strategy)

    def profile_of(self, resource: str) -> Profile | None:
        """Profile that a resource stands for; None where any profile of the node is right (`nvidia.com/gpu`)."""
        profiles = {profile for gpu in self.wanted for profile in gpu.instances}
        return next((profile for profile in profiles if profile.resource == resource), None)

    def labels(self, gpus: Sequence[ObservedGpu], driver: Driver | None) -> tuple[Labels, ...]:
        """What GPU Feature Discovery must write of GPUs of these sizes; the node must carry one of these sets."""
        return expected_labels(gpus, self.wanted, self.strategy, driver, features=self.features)

    def may_crash(self, gpus: Sequence[ObservedGpu]) -> tuple[str, ...]:
        """Operands that may crash-loop: the device plugin on a geometry that it cannot advertise, whoever made it."""
        refused = refusal(observed_geometry(gpus), self.strategy, self.device_plugin)
        return (DEVICE_PLUGIN_APP,) if refused else ()

    def certifying(self, requirements: tuple[str, ...]) -> ExpectedNode:
        """The same node in the messages of a case that certifies these requirements."""
        return replace(self, context=replace(self.context, requirements=requirements))


def expected_node(
    context: CheckContext,
    before: Sequence[ObservedGpu],
    entries: Sequence[Entry],
    *,
    mig_manager: str,
    device_plugin: str,
    approach: Approach = FOUND_THERE,
) -> ExpectedNode:
    """Derive everything that a node must show.

    Args:
        context: Node, strategy and configuration.
        before: The GPUs as they were before the configuration was applied; those that it does not speak of stay so.
        entries: What the configuration asks for.
        mig_manager: Tag of mig-manager.
        device_plugin: Tag of the device plugin.
        approach: How the suite brought the node there.

    Raises:
        VersionError: A tag is no version.
    """
    strategy, wanted = context.strategy, wanted_geometry(before, entries)
    needs_work = approach.asked and observed_geometry(before) != wanted
    return ExpectedNode(
        context=context,
        strategy=strategy,
        wanted=wanted,
        mig_manager=mig_manager,
        device_plugin=device_plugin,
        resources=expected_resources(wanted, strategy, device_plugin),
        resources_of_other_strategy=expected_resources(wanted, strategy.other, device_plugin),
        refusal=refusal(wanted, strategy, device_plugin) or "",
        needs_work=needs_work,
        restarted=needs_work or approach.strategy_changed,
        label_changes=_label_changes(approach, mig_manager, needs_work=needs_work),
        features=approach.labels_before,
        timestamp_before=approach.labels_before.get(GFD_TIMESTAMP),
    )


def _label_changes(approach: Approach, mig_manager: str, *, needs_work: bool) -> tuple[ExpectedChange, ...]:
    if not approach.asked:
        return ()
    before = {key: value for key, value in approach.labels_when_asked.items() if key != MIG_CONFIG_STATE}
    course = Course.CHANGED if needs_work else Course.ALREADY
    return expected_changes(before, course, mig_manager, resumed_before=approach.resumed_before)
