"""D-05, D-06: pods of operands and of users during and after a reconfiguration.

Source: NVIDIA/mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from conformance.expect.compare import compare_mappings
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.spec.names import DEPLOY_PREFIX, PAUSED_APPS, VALIDATOR_APP

RENEWED_APPS: Final[Mapping[str, str]] = {**PAUSED_APPS, VALIDATOR_APP: DEPLOY_PREFIX + "operator-validator"}
"""Apps whose pods are replaced when the geometry changes, with the deploy label that selects their nodes.

mig-manager pauses all of them except the validator. It deletes the validator's pod, so that a new one runs all checks.
"""


class PodRecord(Protocol):
    """A pod that was on the node during the reconfiguration; `conformance.cluster` records them.

    Times are in seconds of the cluster's clock.
    """

    @property
    def app(self) -> str:
        """Value of the label `app`."""

    @property
    def name(self) -> str:
        """Name of the pod."""

    @property
    def uid(self) -> str:
        """UID of the pod."""

    @property
    def started(self) -> float | None:
        """When the pod appeared; None if it existed before the reconfiguration."""

    @property
    def ended(self) -> float | None:
        """When the pod was gone; None if it still exists."""


def apps_to_watch(pods: Sequence[PodRecord], labels_before: Mapping[str, str]) -> tuple[str, ...]:
    """Return the apps whose pods must be replaced: those with a pod before and a deploy label other than `false`."""
    ran = {pod.app for pod in pods if pod.started is None}
    return tuple(app for app, label in RENEWED_APPS.items() if app in ran and labels_before.get(label) != "false")


def check_operands_renewed(context: CheckContext, pods: Sequence[PodRecord], apps: Sequence[str]) -> None:
    """Check that for each app the old pod was gone before a new pod came, and that exactly one new pod stayed.

    Raises:
        ConformanceError: An old pod still exists, there is no new pod or more than one, or the new pod came too early.
    """
    expected = dict.fromkeys(apps, "old pod gone, then one new pod")
    found = {app: _history([pod for pod in pods if pod.app == app]) for app in apps}
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(context, "operand pods", finding)


def check_operands_kept(context: CheckContext, pods: Sequence[PodRecord], apps: Sequence[str]) -> None:
    """Check that the pods of the operands are still the same: without a change nothing may be restarted.

    Raises:
        ConformanceError: A pod of one of the apps came or went.
    """
    expected = dict.fromkeys(apps, "old pod still there")
    found = {app: _history([pod for pod in pods if pod.app == app]) for app in apps}
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(context, "operand pods", finding)


def check_operands_run(context: CheckContext, crashing: Sequence[str], may_crash: Sequence[str] = ()) -> None:
    """Check that no operand crash-loops after the reconfiguration.

    Args:
        context: Node and state that the check is about.
        crashing: Apps with a pod that crash-loops.
        may_crash: Apps that are right to crash-loop, because they cannot handle the geometry.

    Raises:
        ConformanceError: Another app crash-loops.
    """
    if wrong := [app for app in crashing if app not in may_crash]:
        found = tuple(f"{app}: crash-loops" for app in wrong)
        raise ConformanceError(context, "operand pods", Finding(("every operand runs",), found))


def check_user_pods(context: CheckContext, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Check that all pods of users outlived the reconfiguration; pods that came meanwhile are ignored.

    Args:
        context: Node and state that the check is about.
        before: Name to UID of the pods before the reconfiguration.
        after: Name to UID of the pods after it, without those that are terminating.

    Raises:
        ConformanceError: A pod is gone, or was replaced by another one with the same name.
    """
    kept = {name: uid for name, uid in after.items() if name in before}
    if finding := compare_mappings(before, kept, only_differences=True):
        raise ConformanceError(context, "pods of users", finding, ("mig-manager must not touch pods of users",))


def check_refused_by_plugin(
    context: CheckContext, exit_code: int | None, restarts: int, log: str, refusal: str
) -> None:
    """D-06: check that the device plugin exits with an error on a geometry that it cannot advertise.

    Args:
        context: Node and state that the check is about.
        exit_code: Last exit code of the plugin's container; None if the container never exited.
        restarts: Number of restarts of the container.
        log: Log of the container that exited; empty if it is not readable, and then not checked.
        refusal: Text that the log must contain (`device_plugin.Refusal`); empty if the plugin can advertise the
            geometry, and then nothing is checked.

    Raises:
        ConformanceError: The plugin still runs, exits without an error, or exits for another reason.
    """
    lines = [line for line in log.splitlines() if line.strip()]
    found = [f"exit code {exit_code}, {restarts} restarts", *lines[-1:]]
    if refusal and (exit_code != 1 or restarts < 1 or (lines and refusal not in log)):
        expected = ("exit code 1 and at least 1 restart", f"log: {refusal}")
        raise ConformanceError(context, "device plugin", Finding(expected, tuple(found)))


def check_plugin_end(context: CheckContext, exit_code: int | None, restarts: int, log: str, refusal: str) -> None:
    """D-07: check that a device plugin which ended did so because it cannot advertise the geometry.

    A plugin that waits instead is right as well: with CDI and no devices at all, versions may differ.

    Args:
        context: Node and state that the check is about.
        exit_code: As for `check_refused_by_plugin`, like `restarts` and `log`.
        restarts: Number of restarts of the container.
        log: Log of the container that exited.
        refusal: Text that the log must contain.

    Raises:
        ConformanceError: The plugin exited for another reason.
    """
    if restarts or exit_code is not None:
        check_refused_by_plugin(context, exit_code, restarts, log, refusal)


def _history(pods: Sequence[PodRecord]) -> str:
    old = [pod for pod in pods if pod.started is None]
    new = [pod for pod in pods if pod.started is not None and pod.ended is None]
    if any(pod.ended is None for pod in old):
        return "old pod still there" + (f", and {len(new)} new" if new else "")
    gone = max((pod.ended for pod in old if pod.ended is not None), default=0.0)
    if len(new) != 1:
        return f"old pod gone, then {len(new) or 'no'} new {'pods' if new else 'pod'}"
    early = new[0].started is not None and new[0].started < gone
    return "one new pod before the old one was gone" if early else "old pod gone, then one new pod"
