"""D-05, D-06: pods of operands and of users during and after a reconfiguration.

Source: NVIDIA/mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Protocol

from conformance.expect.compare import compare_mappings
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.spec.names import DEPLOY_PREFIX, PAUSED_APPS, VALIDATOR_APP

RENEWED_APPS: Final[Mapping[str, str]] = {**PAUSED_APPS, VALIDATOR_APP: DEPLOY_PREFIX + "operator-validator"}
"""Apps whose pods are replaced when the geometry changes, with the deploy label that selects their nodes.

mig-manager pauses all of them except the validator. It deletes the validator's pod, so that a new one runs all checks.
"""
_KEPT: Final = "old pod still there"
_RENEWED: Final = "old pod gone, then one new pod"


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
    def terminating(self) -> float | None:
        """When its deletion was requested; None if it was not."""

    @property
    def ended(self) -> float | None:
        """When the pod was gone; None if it still exists."""

    @property
    def restarts(self) -> int:
        """How often its containers were restarted."""

    @property
    def is_ready(self) -> bool | None:
        """Whether it is Ready; None if that did not change."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Its resourceVersion after the last step of each kind, such as `terminating` or `gone`."""


def apps_to_watch(pods: Sequence[PodRecord], labels_before: Mapping[str, str]) -> tuple[str, ...]:
    """Return the apps whose pods must be replaced: those with a pod before and a deploy label other than `false`."""
    ran = {pod.app for pod in pods if pod.started is None}
    return tuple(app for app, label in RENEWED_APPS.items() if app in ran and labels_before.get(label) != "false")


def check_operands_renewed(
    context: CheckContext, pods: Sequence[PodRecord], apps: Sequence[str], may_wait: Collection[str] = ()
) -> None:
    """Check that for each app the old pod was gone before a new pod came, and that this one pod stays and is Ready.

    Args:
        context: Node and state that the check is about.
        pods: All pods that were on the node.
        apps: The apps.
        may_wait: Apps whose new pod need not be Ready.

    Raises:
        ConformanceError: An old pod still exists, there is no new pod or more than one, the new pod came too early, is
            going again, or is not Ready.
    """
    _check(context, pods, dict.fromkeys(apps, _RENEWED), lambda app, its: _history(its, ready=app not in may_wait))


def check_operands_kept(
    context: CheckContext, pods: Sequence[PodRecord], apps: Sequence[str], may_wait: Collection[str] = ()
) -> None:
    """Check that the pods of the apps are still the same, and that none was restarted or stopped being Ready.

    Args:
        context: Node and state that the check is about.
        pods: All pods that were on the node.
        apps: The apps: all if nothing had to change, otherwise those that mig-manager does not stop.
        may_wait: Apps whose pod may be restarted and need not be Ready.

    Raises:
        ConformanceError: A pod of one of the apps came, went, was restarted or is no longer Ready.
    """
    _check(context, pods, dict.fromkeys(apps, _KEPT), lambda app, its: _history(its, ready=app not in may_wait))


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


def check_user_pods(context: CheckContext, before: Mapping[str, str], pods: Sequence[PodRecord]) -> None:
    """Check that all pods of users lived through the reconfiguration without a restart; others are ignored.

    Args:
        context: Node and state that the check is about.
        before: Name to UID of the pods before the reconfiguration.
        pods: All pods that were on the node, those included that did not change.

    Raises:
        ConformanceError: A pod was deleted, was restarted or is no longer Ready; one that was replaced by another with
            the same name was deleted.
    """
    found = {name: _history([pod for pod in pods if pod.uid == uid], ready=True) for name, uid in before.items()}
    if finding := compare_mappings(dict.fromkeys(before, _KEPT), found, only_differences=True):
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


def _check(
    context: CheckContext,
    pods: Sequence[PodRecord],
    expected: Mapping[str, str],
    history: Callable[[str, Sequence[PodRecord]], str],
) -> None:
    found = {app: history(app, [pod for pod in pods if pod.app == app]) for app in expected}
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(context, "operand pods", finding)


def _history(pods: Sequence[PodRecord], *, ready: bool) -> str:
    """Describe what became of the pods of one app.

    Args:
        pods: The pods.
        ready: Whether the last pod must be Ready without restarts if it is an old one, or Ready if it is a new one.
    """
    old = [pod for pod in pods if pod.started is None]
    new = [pod for pod in pods if pod.started is not None]
    if any(pod.ended is None for pod in old):
        changed = [text for pod in old if (text := _disturbed(pod, ready=ready, restarts=ready))]
        return _KEPT + "".join(f", {text}" for text in changed) + (f", and {len(new)} new" if new else "")
    gone = max((pod.ended for pod in old if pod.ended is not None), default=0.0)
    if len(new) != 1:
        left = sum(pod.ended is None for pod in new)
        rest = f", {left} left" if left != len(new) else ""
        return f"old pod gone, then {len(new) or 'no'} new {'pods' if new else 'pod'}{rest}"
    if new[0].started is not None and new[0].started < gone:
        return "one new pod before the old one was gone"
    changed = [text for text in (_disturbed(new[0], ready=ready),) if text]
    return ", ".join([_RENEWED, *changed])


def _disturbed(pod: PodRecord, *, ready: bool, restarts: bool = False) -> str:
    """Return what is wrong with the present state of a pod; empty for nothing."""
    if pod.ended is not None:
        return "which is gone"
    if pod.terminating is not None:
        return "which is terminating"
    if restarts and pod.restarts:
        return f"restarted {pod.restarts} times"
    if ready and (pod.is_ready is False or (pod.is_ready is None and pod.started is not None)):
        return "which is not Ready"
    return ""
