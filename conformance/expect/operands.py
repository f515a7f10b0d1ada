"""D-05: pods during a reconfiguration, those of the operator and those of users.

Source: NVIDIA/mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from conformance.expect.compare import compare_mappings
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.spec.names import DEPLOY_PREFIX, PAUSED_APPS, VALIDATOR_APP

RENEWED_APPS: Final[Mapping[str, str]] = {**PAUSED_APPS, VALIDATOR_APP: DEPLOY_PREFIX + "operator-validator"}
"""Apps whose pods a change of geometry renews, with the deploy label that selects their nodes.

mig-manager pauses all of them but the validator, whose pod it deletes so that everything is validated anew.
"""


class PodRecord(Protocol):
    """One pod on the node during the reconfiguration; `cluster` records these. Times in seconds of its clock."""

    @property
    def app(self) -> str:
        """Label `app`."""

    @property
    def name(self) -> str:
        """Name of the pod."""

    @property
    def uid(self) -> str:
        """UID of the pod."""

    @property
    def started(self) -> float | None:
        """When it appeared; None where it was there before."""

    @property
    def ended(self) -> float | None:
        """When it was gone; None where it is still there."""


def apps_to_watch(pods: Sequence[PodRecord], labels_before: Mapping[str, str]) -> tuple[str, ...]:
    """Return the operands that must go and come back: those that ran before and are not switched off by `false`."""
    ran = {pod.app for pod in pods if pod.started is None}
    return tuple(app for app, label in RENEWED_APPS.items() if app in ran and labels_before.get(label) != "false")


def check_operands_renewed(context: CheckContext, pods: Sequence[PodRecord], apps: Sequence[str]) -> None:
    """Check that of each app the old pods went, and only then one new pod came and stayed.

    Raises:
        ConformanceError: An operand ran on through the change, did not come back, or came back too early.
    """
    expected = dict.fromkeys(apps, "old pod gone, then one new pod")
    found = {app: _fate([pod for pod in pods if pod.app == app]) for app in apps}
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(context, "operand pods", finding)


def check_operands_kept(context: CheckContext, pods: Sequence[PodRecord], apps: Sequence[str]) -> None:
    """Check that the operands' pods are still the same: nothing was to be done, so nothing was restarted.

    Raises:
        ConformanceError: A pod of one of the apps came or went.
    """
    expected = dict.fromkeys(apps, "old pod still there")
    found = {app: _fate([pod for pod in pods if pod.app == app]) for app in apps}
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(context, "operand pods", finding)


def check_operands_run(context: CheckContext, crashing: Sequence[str], may_crash: Sequence[str] = ()) -> None:
    """Check that no operand crash-loops after the reconfiguration.

    Args:
        context: Where.
        crashing: Apps whose pod ended in error and is started again and again.
        may_crash: Those that rightly refuse the geometry that is there.

    Raises:
        ConformanceError: Another one does.
    """
    if wrong := [app for app in crashing if app not in may_crash]:
        found = tuple(f"{app}: crash-loops" for app in wrong)
        raise ConformanceError(context, "operand pods", Finding(("every operand runs",), found))


def check_user_pods(context: CheckContext, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Check that the pods of users were left alone.

    Args:
        context: Where.
        before: Name to UID before the reconfiguration.
        after: Name to UID of those that are there and not about to end.

    Raises:
        ConformanceError: A pod is gone, or another one of its name is there; pods that came meanwhile do not matter.
    """
    kept = {name: uid for name, uid in after.items() if name in before}
    if finding := compare_mappings(before, kept, only_differences=True):
        raise ConformanceError(context, "pods of users", finding, ("mig-manager must not touch pods of users",))


def check_refused_by_plugin(
    context: CheckContext, exit_code: int | None, restarts: int, log: str, refusal: str
) -> None:
    """D-06: check that the device plugin ends with an error on a geometry that `single` cannot advertise.

    Args:
        context: Where.
        exit_code: Last exit code of its container; None where it never ended.
        restarts: How often the container was started again.
        log: Log of the container that ended; empty where it may not be read, then it is not looked at.
        refusal: The fragment that the log must hold (`resources.Refusal`).

    Raises:
        ConformanceError: It runs on, ends without error, or for another reason.
    """
    lines = [line for line in log.splitlines() if line.strip()]
    found = [f"exit code {exit_code}, {restarts} restarts", *lines[-1:]]
    if exit_code != 1 or restarts < 1 or (lines and refusal not in log):
        expected = ("exit code 1 and at least 1 restart", f"log: {refusal}")
        raise ConformanceError(context, "device plugin", Finding(expected, tuple(found)))


def _fate(pods: Sequence[PodRecord]) -> str:
    old = [pod for pod in pods if pod.started is None]
    new = [pod for pod in pods if pod.started is not None and pod.ended is None]
    if any(pod.ended is None for pod in old):
        return "old pod still there" + (f", and {len(new)} new" if new else "")
    gone = max((pod.ended for pod in old if pod.ended is not None), default=0.0)
    if len(new) != 1:
        return f"old pod gone, then {len(new) or 'no'} new {'pods' if new else 'pod'}"
    early = new[0].started is not None and new[0].started < gone
    return "one new pod before the old one was gone" if early else "old pod gone, then one new pod"
