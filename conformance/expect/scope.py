"""D-10, D-11: nodes that MIG does not concern, and what a node needs for MIG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.spec.names import (
    COMPUTE_MAJOR,
    DEPLOY_MIG_MANAGER,
    DEPLOY_PREFIX,
    MIG_CAPABLE,
    MIG_CONFIG,
    MIG_CONFIG_STATE,
    MIG_MANAGER_APP,
    PAUSED,
    State,
)

FIRST_DRIVERS: Final[Mapping[int, tuple[int, ...]]] = {8: (450, 80, 2), 9: (525, 53), 10: (570,), 12: (575, 51, 3)}
"""First driver with MIG by major compute capability. Source: NVIDIA MIG User Guide r580, "Software prerequisites"."""


_BROKEN: Final = ("BackOff:", "Failed", "Evicted:", "Preempting:")
"""Beginnings of warnings that a pod which goes on being Ready does not get. A probe that fails once is none of them.
Source: kubernetes v1.36, pkg/kubelet/events/event.go."""
_MOST: Final = 3
"""So many warnings of an operand are told, the last ones."""


@dataclass(frozen=True)
class OtherNode:
    """A node without a GPU that can do MIG.

    Attributes:
        name: Name of the node.
        labels: All labels.
        managers: Names of the pods of mig-manager that were on the node at any time of the run.
        states: Values that the state label had at any time of the run.
    """

    name: str
    labels: Mapping[str, str]
    managers: tuple[str, ...]
    states: tuple[str, ...]


@dataclass(frozen=True)
class Prerequisites:
    """What a node needs for MIG, as found.

    Attributes:
        policies: Names of the ClusterPolicies.
        manager_enabled: `spec.migManager.enabled`; None if absent, which the operator takes for true.
        operands: For each operand that MIG needs, how its pod on the node is: `Ready`, or what is wrong.
        warnings: For each of them, the Events of type Warning since its pod is Ready, or all if it is not.
        driver: Version of the driver; empty if unknown.
        labels: All labels of the node.
    """

    policies: tuple[str, ...]
    manager_enabled: bool | None
    operands: Mapping[str, str]
    warnings: Mapping[str, Sequence[str]]
    driver: str
    labels: Mapping[str, str]


def check_left_alone(context: CheckContext, others: Sequence[OtherNode]) -> None:
    """Check that nodes without MIG have no mig-manager, no `mig.capable=true`, no configuration and no state.

    Raises:
        ConformanceError: A node has one of these; the message names it.
    """
    if found := [text for other in others for text in _touched(other)]:
        names = ", ".join(other.name for other in others)
        expected = (f"nothing of MIG on {names}",)
        raise ConformanceError(context, "nodes without MIG", Finding(expected, tuple(found)))


def check_prerequisites(context: CheckContext, found: Prerequisites) -> None:
    """Check that mig-manager, device plugin and GPU Feature Discovery run, and that the driver knows MIG on these GPUs.

    Raises:
        ConformanceError: Something is missing; the message names all of it.
    """
    if wrong := [*_wrong_cluster(found), *_wrong_operands(found), *_wrong_driver(found.driver, found.labels)]:
        expected = ("one ClusterPolicy with mig-manager enabled", *(f"{app}: Ready" for app in found.operands))
        raise ConformanceError(context, "prerequisites", Finding(expected, tuple(wrong)))


def _touched(other: OtherNode) -> Iterator[str]:
    labels = other.labels
    if labels.get(MIG_CAPABLE) == "true":
        yield f"{other.name}: {MIG_CAPABLE}=true"
    if labels.get(DEPLOY_MIG_MANAGER) == "true":
        yield f"{other.name}: {DEPLOY_MIG_MANAGER}=true"
    for key in (MIG_CONFIG, MIG_CONFIG_STATE):
        if key in labels:
            yield f"{other.name}: {key}={labels[key]}"
    for pod in other.managers:
        yield f"{other.name}: pod {pod} of {MIG_MANAGER_APP}"
    for state in other.states:
        if MIG_CONFIG_STATE not in labels:
            yield f"{other.name}: {MIG_CONFIG_STATE} was {state}"


def _wrong_cluster(found: Prerequisites) -> Iterator[str]:
    if len(found.policies) != 1:
        yield f"{len(found.policies)} ClusterPolicies: {', '.join(found.policies)}; the operator uses the oldest"
    if found.manager_enabled is False:
        yield "migManager.enabled is false: nobody applies mig.config"
    for key, value in sorted(found.labels.items()):
        if key.startswith(DEPLOY_PREFIX) and value == PAUSED:
            yield f"{key}={PAUSED}: a change did not finish, or runs now"
    if found.labels.get(MIG_CONFIG_STATE) in (State.PENDING, State.REBOOTING):
        yield f"{MIG_CONFIG_STATE}={found.labels[MIG_CONFIG_STATE]}: a change did not finish, or runs now"


def _wrong_operands(found: Prerequisites) -> Iterator[str]:
    for app, how in found.operands.items():
        told = [text for text in found.warnings.get(app, ()) if how != "Ready" or text.startswith(_BROKEN)]
        if how != "Ready" or told:
            yield f"{app}: {how}" + "".join(f"; Event {text}" for text in told[-_MOST:])


def _wrong_driver(driver: str, labels: Mapping[str, str]) -> Iterator[str]:
    if needed := first_driver(driver, labels):
        yield f"driver {driver}: GPUs of compute capability {labels[COMPUTE_MAJOR]} have MIG from driver {needed} on"


def first_driver(driver: str, labels: Mapping[str, str]) -> str:
    """Return the first driver with MIG on the GPUs of a node if its driver is older; empty if it is not, or unknown."""
    numbers = tuple(int(part) for part in driver.split(".") if part.isdigit())
    major = labels.get(COMPUTE_MAJOR, "")
    first = FIRST_DRIVERS.get(int(major)) if major.isdigit() else None
    return ".".join(map(str, first)) if first and numbers and numbers < first else ""
