"""What a node must show in a cell: the expectations that every case compares with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from conformance.expect.applied import counts_as_applied
from conformance.expect.device_plugin import DevicePlugin, refusal, resource_name
from conformance.expect.finding import CheckContext
from conformance.expect.geometry import WantedGpu, observed_geometry, requested_profiles, wanted_geometry
from conformance.expect.label_changes import ExpectedChange
from conformance.expect.label_parts import Labels
from conformance.expect.labels import expected_labels
from conformance.expect.observed import Driver, ObservedGpu
from conformance.expect.resources import expected_resources
from conformance.expect.transitions import Course, expected_changes
from conformance.spec.mig_parted import Entry
from conformance.spec.names import (
    DEVICE_PLUGIN_APP,
    GFD_TIMESTAMP,
    GPU_RESOURCE,
    MIG_CONFIG_STATE,
    VALIDATOR_APP,
    Strategy,
)
from conformance.spec.profile import Profile


@dataclass(frozen=True)
class Approach:
    """How the suite brought a node to a cell: the part of an arrival that expectations depend on.

    Attributes:
        asked: Whether the suite requested the configuration; False if the node already had it under another strategy.
        labels_before: All labels of the node before the suite changed anything, the strategy included.
        labels_when_asked: All labels of the node right before the request.
        resumed_before: Whether the same mig-manager process had already brought a change to `success`.
        strategy_changed: Whether the suite changed the strategy as well.
    """

    asked: bool
    labels_before: Mapping[str, str]
    labels_when_asked: Mapping[str, str]
    resumed_before: bool
    strategy_changed: bool


FOUND_THERE = Approach(
    asked=False, labels_before={}, labels_when_asked={}, resumed_before=False, strategy_changed=False
)
"""The approach of a node that was in its cell before the suite changed anything."""


@dataclass(frozen=True)
class ExpectedNode:
    """What a node must show in a cell.

    Attributes:
        context: Node, strategy and configuration for messages.
        strategy: Strategy of the cluster.
        wanted: The geometry that every GPU must have.
        mig_manager: Image tag of mig-manager; its label changes and the offered configurations depend on it.
        device_plugin: The device plugin; resources, and the geometries that it refuses, depend on it.
        resources: Resources that the node must advertise, with their counts; empty for none.
        resources_of_other_strategy: Resources that the same geometry gives under the other strategy.
        refusal: Text that the device plugin's log must contain if it cannot advertise the geometry; empty if it can.
        requested: Profiles that the configuration asks for, whether or not the GPUs offer them.
        needs_work: Whether the suite requested the configuration and mig-parted does not find it applied; that can be
            so although the GPUs have the geometry (`applied.counts_as_applied`).
        restarted: Whether device plugin and GPU Feature Discovery must have been restarted on the way.
        label_changes: Label changes that mig-manager must make, in order; empty if no configuration was requested.
        features: Labels of the node before the arrival, with those of Node Feature Discovery; empty if unknown.
        timestamp_before: `nvidia.com/gfd.timestamp` before the arrival, as text; None if the node had none.
        stages: Resources that the node may advertise one after the other on its way; None while the device plugin is
            away.
    """

    context: CheckContext
    strategy: Strategy
    wanted: tuple[WantedGpu, ...]
    mig_manager: str
    device_plugin: DevicePlugin
    resources: Mapping[str, int]
    resources_of_other_strategy: Mapping[str, int]
    refusal: str = ""
    requested: tuple[Profile, ...] = ()
    needs_work: bool = False
    restarted: bool = False
    label_changes: tuple[ExpectedChange, ...] = ()
    features: Mapping[str, str] = field(default_factory=dict)
    timestamp_before: str | None = None
    stages: tuple[Mapping[str, int] | None, ...] = ()

    @property
    def resource_of_other_strategy(self) -> str:
        """Resource by which a pod asks for a device under the other strategy; the first by name if there are several.

        The device plugin need not advertise it: under `mixed` it refuses compute instances such as `1c.3g.40gb`.
        """
        if self.strategy.other is not Strategy.MIXED:
            return GPU_RESOURCE
        return min((resource_name(profile, self.device_plugin) for profile in self._profiles), default=GPU_RESOURCE)

    def profile_of(self, resource: str) -> Profile | None:
        """Return the profile that a resource stands for; None if devices of any profile of the node may be right.

        That is so for `nvidia.com/gpu`, and for a resource in which an older plugin puts devices of several profiles.
        """
        named = [profile for profile in self._profiles if resource_name(profile, self.device_plugin) == resource]
        return named[0] if len(named) == 1 else None

    @property
    def _profiles(self) -> set[Profile]:
        return {profile for gpu in self.wanted for profile in gpu.instances}

    def labels(self, gpus: Sequence[ObservedGpu], driver: Driver | None) -> tuple[Labels, ...]:
        """Return the label sets that are right for the node; it must match one of them.

        GPU Feature Discovery is taken to have the version of the device plugin, with which it shares an image.

        Args:
            gpus: The GPUs as read from NVML; they give the figures in the labels.
            driver: Versions of driver and CUDA; None accepts any.
        """
        version = self.device_plugin.version
        return expected_labels(gpus, self.wanted, self.strategy, driver, features=self.features, version=version)

    def may_crash(self, gpus: Sequence[ObservedGpu]) -> tuple[str, ...]:
        """Return the apps of operands that may crash-loop: the device plugin, if it cannot advertise the geometry.

        What counts is the geometry that the GPUs have, not the one that was requested.
        """
        refused = refusal(observed_geometry(gpus), self.strategy, self.device_plugin)
        return (DEVICE_PLUGIN_APP,) if refused else ()

    def asked_for(self, configuration: str, before: Sequence[ObservedGpu], entries: Sequence[Entry]) -> ExpectedNode:
        """Return what the node must show in another configuration under the same strategy.

        Label changes are not part of it.

        Args:
            configuration: Name of the configuration.
            before: The GPUs before it was requested.
            entries: Its entries.
        """
        context = replace(self.context, configuration=configuration)
        expected = expected_node(
            context, before, entries, mig_manager=self.mig_manager, device_plugin=self.device_plugin
        )
        return replace(expected, features=self.features)

    def resources_of(self, gpus: Sequence[ObservedGpu]) -> Mapping[str, int]:
        """Return the resources that the node must advertise if its GPUs are as they were read."""
        return expected_resources(observed_geometry(gpus), self.strategy, self.device_plugin)

    def may_wait(self, gpus: Sequence[ObservedGpu]) -> tuple[str, ...]:
        """Return the apps of operands that need not be Ready: those that may crash-loop, and the validator.

        The validator runs its checks one after the other, long after the others are Ready. It also waits for resources,
        which some geometries do not give.
        """
        return (*self.may_crash(gpus), VALIDATOR_APP)

    def under(self, strategy: Strategy, gpus: Sequence[ObservedGpu]) -> ExpectedNode:
        """Return what the node must show under another strategy if its GPUs stay as they are.

        Label changes are not part of it.
        """
        context = self.context.under(strategy)
        expected = expected_node(context, gpus, (), mig_manager=self.mig_manager, device_plugin=self.device_plugin)
        return replace(expected, features=self.features)

    def certifying(self, requirements: tuple[str, ...]) -> ExpectedNode:
        """Return the same expectations for a case that certifies these requirements; its messages begin with them."""
        return replace(self, context=replace(self.context, requirements=requirements))

    def telling(self, timeline: Callable[[], Sequence[str]]) -> ExpectedNode:
        """Return the same expectations with another timeline in the messages."""
        return replace(self, context=replace(self.context, timeline=timeline))


def expected_node(
    context: CheckContext,
    before: Sequence[ObservedGpu],
    entries: Sequence[Entry],
    *,
    mig_manager: str,
    device_plugin: DevicePlugin,
    approach: Approach = FOUND_THERE,
) -> ExpectedNode:
    """Derive everything that a node must show in a cell.

    Args:
        context: Node, strategy and configuration.
        before: The GPUs before the configuration was applied. GPUs that it does not match keep their geometry.
        entries: Entries of the configuration.
        mig_manager: Image tag of mig-manager.
        device_plugin: The device plugin.
        approach: How the suite brought the node to the cell.

    Raises:
        VersionError: A tag is not a version.
    """
    strategy, wanted = context.strategy, wanted_geometry(before, entries)
    needs_work = approach.asked and not counts_as_applied(before, entries)
    resources = expected_resources(wanted, strategy, device_plugin)
    former = expected_resources(observed_geometry(before), strategy, device_plugin)
    return ExpectedNode(
        context=context,
        strategy=strategy,
        wanted=wanted,
        mig_manager=mig_manager,
        device_plugin=device_plugin,
        resources=resources,
        resources_of_other_strategy=expected_resources(wanted, strategy.other, device_plugin),
        refusal=refusal(wanted, strategy, device_plugin) or "",
        requested=requested_profiles(before, entries),
        needs_work=needs_work,
        restarted=needs_work or approach.strategy_changed,
        label_changes=_label_changes(approach, mig_manager, needs_work=needs_work),
        features=approach.labels_before,
        timestamp_before=approach.labels_before.get(GFD_TIMESTAMP),
        stages=(*((None, former) if approach.strategy_changed else ()), *((None, resources) if needs_work else ())),
    )


def _label_changes(approach: Approach, mig_manager: str, *, needs_work: bool) -> tuple[ExpectedChange, ...]:
    if not approach.asked:
        return ()
    # The suite removes the state label before it requests a configuration.
    before = {key: value for key, value in approach.labels_when_asked.items() if key != MIG_CONFIG_STATE}
    course = Course.CHANGED if needs_work else Course.ALREADY
    return expected_changes(before, course, mig_manager, resumed_before=approach.resumed_before)
