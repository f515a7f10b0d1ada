"""D-08: what a change of the strategy does to operands and GPUs.

Source: docs/reference/gpu-operator.md#change-of-strategy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.expect.compare import compare_sequences
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.observed import ObservedGpu


@dataclass(frozen=True)
class OperandRoll:
    """One operand that carries the strategy, on one node, after a change.

    Attributes:
        operand: Name of its DaemonSet.
        setting: MIG_STRATEGY in the template of the DaemonSet; empty if it is absent or empty.
        before: UID of its pod before the change.
        after: UIDs of its pods after it, without those that are terminating.
        ready: Whether all of these are Ready.
    """

    operand: str
    setting: str
    before: str
    after: tuple[str, ...]
    ready: bool


def uuids_of(gpus: Sequence[ObservedGpu]) -> tuple[str, ...]:
    """Return the UUIDs of all GPUs and MIG devices, with the position of each, in a fixed order."""
    devices = (f"GPU {gpu.index}: {device.profile} {device.uuid}" for gpu in gpus for device in gpu.instances)
    return (*(f"GPU {gpu.index}: {gpu.uuid}, MIG {'on' if gpu.mode else 'off'}" for gpu in gpus), *sorted(devices))


def check_rolled(context: CheckContext, rolls: Sequence[OperandRoll], strategy: str, *, refused: str = "") -> None:
    """Check that every operand has the strategy in its template, and exactly one new pod, which is Ready.

    Args:
        context: Node and state that the check is about.
        rolls: The operands that carry the strategy; every node has some.
        strategy: The new strategy; empty for none in the ClusterPolicy.
        refused: Why the device plugin must end in this geometry; empty if it must run. If it must end, neither its pod
            nor that of the validator is Ready, and pods need not be compared.

    Raises:
        ConformanceError: An operand was not updated, or runs no new pod.
    """
    expected = tuple(f"{roll.operand}: MIG_STRATEGY {strategy or 'unset'}, one new pod, Ready" for roll in rolls)
    found = tuple(_text(roll) for roll in rolls)
    wrong = [*_not_updated(rolls, strategy), *(() if refused else _not_renewed(rolls))]
    if wrong or not rolls:
        raise ConformanceError(context, "operands that carry the strategy", Finding(expected, found), wrong)


def check_same_gpus(context: CheckContext, before: Sequence[str], after: Sequence[str]) -> None:
    """Check that a change of the strategy left every GPU and MIG device as it was; see `uuids_of`.

    Raises:
        ConformanceError: A device is gone or new, or a MIG mode changed.
    """
    if finding := compare_sequences(before, after):
        raise ConformanceError(context, "GPUs", finding, ("a change of the strategy must not touch the geometry",))


def _not_updated(rolls: Sequence[OperandRoll], strategy: str) -> Iterator[str]:
    for roll in rolls:
        if roll.setting != strategy:
            yield f"the operator did not update DaemonSet {roll.operand}: see the operator's log"


def _not_renewed(rolls: Sequence[OperandRoll]) -> Iterator[str]:
    for roll in rolls:
        if len(roll.after) != 1 or roll.before in roll.after or not roll.ready:
            yield f"kubectl rollout status of DaemonSet {roll.operand}: {_text(roll)}"


def _text(roll: OperandRoll) -> str:
    kept = "the old pod" if roll.before in roll.after else "new"
    ready = "Ready" if roll.ready else "not Ready"
    pods = f"{len(roll.after)} pods, {kept}, {ready}" if roll.after else "no pod"
    return f"{roll.operand}: MIG_STRATEGY {roll.setting or 'unset'}, {pods}"
