"""The changes of a node and the pods deleted in them, from raw objects as a server sends them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from conformance.cluster import diff
from conformance.cluster.pod_view import RUN_LABEL, PodView, pod_view
from conformance.cluster.timeline import Timeline
from conformance.cluster.views import node_view
from conformance.expect.deletions import STOPPED, Deletion, History, Step
from conformance.operations.deletions import Surroundings, deleted_by_controllers, history_of
from conformance.spec.names import (
    DEPLOY_PREFIX,
    DEVICE_PLUGIN_APP,
    DRIVER_APP,
    MIG_CONFIG,
    MIG_CONFIG_STATE,
    PAUSED,
    VALIDATOR_APP,
)

PLUGIN_LABEL = DEPLOY_PREFIX + "device-plugin"
ASKED = {MIG_CONFIG: "all-1g.10gb"}
PAUSING = {MIG_CONFIG_STATE: "pending", PLUGIN_LABEL: PAUSED}
RESUMING = {PLUGIN_LABEL: "true"}
ANSWERED = {MIG_CONFIG_STATE: "success"}


class Scene:
    """One node, whose labels and pods change."""

    def __init__(self) -> None:
        self._versions = itertools.count(1)
        self.timeline = Timeline(lambda: 1.0)
        self.labels = {MIG_CONFIG: "all-disabled", MIG_CONFIG_STATE: "success", PLUGIN_LABEL: "true"}
        self.there: dict[str, PodView] = {}
        self.own: set[str] = set()
        self.events: set[str] = set()

    def label(self, *changes: dict[str, str]) -> None:
        for labels in changes:
            old, self.labels = self._node(), self.labels | labels
            new = self._node()
            diff.node(self.timeline, node_view(old), node_view(new), new)

    def pod(self, name: str, app: str = DRIVER_APP, *, new: bool = False, **more: Any) -> None:
        """A pod that is there, and was from the beginning unless it is `new`."""
        raw = self._pod(name, app, **more)
        if new:
            diff.pod(self.timeline, None, pod_view(raw), raw)
        self.there[name] = pod_view(raw)

    def delete(self, name: str, *, gone: bool = True, disruption: str = "") -> None:
        old = self.there.pop(name)
        raw = self._pod(name, old.app, run=old.run, namespace=old.namespace, revision=old.template_hash)
        raw["metadata"]["deletionTimestamp"] = "2026-11-24T11:00:00Z"
        raw["status"] = {
            "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": disruption}] if disruption else []
        }
        going = pod_view(raw)
        diff.pod(self.timeline, old, going, raw)
        if gone:
            diff.pod(self.timeline, going, None, self._pod(name, old.app))

    def history(self) -> History:
        about = Surroundings("r", "gpu-operator", self.own.__contains__, self.events)
        return history_of("a", self.timeline.since(node="a"), self.there.values(), about)

    @property
    def deletions(self) -> list[Deletion]:
        return [deletion for change in self.history().changes for deletion in change.deletions]

    def _node(self) -> dict[str, Any]:
        meta = {"name": "a", "uid": "u", "resourceVersion": str(next(self._versions)), "labels": self.labels}
        return {"metadata": meta}

    def _pod(
        self,
        name: str,
        app: str,
        *,
        run: str | None = None,
        namespace: str = "gpu-operator",
        revision: str = "",
        phase: str = "Running",
    ) -> dict[str, Any]:
        labels = {"app": app, "controller-revision-hash": revision, **({RUN_LABEL: run} if run else {})}
        return {
            "metadata": {
                "namespace": namespace, "name": name, "uid": name, "resourceVersion": str(next(self._versions)),
                "creationTimestamp": "2026-11-24T11:00:00Z", "labels": labels,
            },
            "spec": {"nodeName": "a"},
            "status": {"phase": phase},
        }  # fmt: skip


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize(
    ("before", "step"),
    [
        ([], Step.REST),
        ([ASKED], Step.BEGINNING),
        ([ASKED, PAUSING], Step.STOPPED),
        ([ASKED, PAUSING, RESUMING], Step.ENDING),
        ([ASKED, PAUSING, RESUMING, ANSWERED], Step.REST),
    ],
)
def test_the_step_of_a_deletion_follows_from_the_labels(scene: Scene, before: list[dict[str, str]], step: Step) -> None:
    scene.pod("driver")
    scene.label(*before)
    scene.delete("driver")

    (found,) = scene.deletions
    assert (found.pod, found.role, found.step) == ("gpu-operator/driver", DRIVER_APP, step)
    assert not found.by_product


def test_a_change_has_a_course_and_the_roles_that_were_there(scene: Scene) -> None:
    scene.pod("driver")
    scene.pod("plugin", DEVICE_PLUGIN_APP)
    scene.label(ASKED, PAUSING)
    scene.delete("plugin")
    scene.pod("plugin-2", DEVICE_PLUGIN_APP, new=True)
    scene.label(RESUMING, ANSWERED)
    scene.delete("plugin-2")
    scene.label({MIG_CONFIG: "all-balanced"})

    before, change, last = scene.history().changes
    assert (before.course, change.course, last.course) == ((), (STOPPED, "pending", "success"), ())
    assert change.roles == {DRIVER_APP, DEVICE_PLUGIN_APP}
    assert last.roles == {DRIVER_APP}
    assert [it.by_product for it in change.deletions] == [True, False]


def test_the_validator_is_replaced_while_the_operands_are_stopped(scene: Scene) -> None:
    scene.pod("validator", VALIDATOR_APP)
    scene.pod("cuda", "nvidia-cuda-validator")
    scene.label(ASKED)
    scene.delete("cuda")
    scene.label(PAUSING)
    scene.delete("validator", gone=False)

    assert [it.by_product for it in scene.deletions] == [True, True]


def test_of_two_validators_that_are_deleted_in_one_change_nobody_can_tell_whose_is_which(scene: Scene) -> None:
    for name in ("validator", "its successor"):
        scene.pod(name, VALIDATOR_APP)
    scene.label({DEPLOY_PREFIX + "operator-validator": "true"}, ASKED, PAUSING)
    scene.delete("validator")
    scene.delete("its successor")

    assert [it.by_product for it in scene.deletions] == [False, False]


def test_a_validator_that_starts_deletes_the_workloads_of_the_one_before(scene: Scene) -> None:
    """At any time: it was rolled, or somebody deleted it."""
    scene.pod("cuda", "nvidia-cuda-validator")
    scene.pod("plugin", "nvidia-device-plugin-validator")
    scene.delete("cuda")
    scene.delete("plugin")

    assert [it.by_product for it in scene.deletions] == [True, True]


def test_pods_that_ended_and_those_of_others_do_not_count(scene: Scene) -> None:
    scene.pod("done", "nvidia-cuda-validator", new=True, phase="Succeeded")
    scene.pod("theirs", namespace="default")
    scene.pod("former", namespace="mig-conformance", run="another")
    for name in ("done", "theirs", "former"):
        scene.delete(name)

    assert scene.deletions == []


def test_the_pods_of_a_node_that_is_gone_are_deleted_by_controllers(scene: Scene) -> None:
    """Whoever deleted the Node object."""
    scene.pod("driver")
    node = scene._node()
    diff.node(scene.timeline, node_view(node), None, scene._node())
    scene.delete("driver")
    diff.node(scene.timeline, None, node_view(node | {"metadata": scene._node()["metadata"]}), scene._node())
    scene.pod("driver-2", new=True)
    scene.delete("driver-2")

    assert [it.by_product for it in scene.deletions] == [True, True]


def test_a_pod_that_the_suite_deleted_itself_does_not_count(scene: Scene) -> None:
    scene.pod("bystander", "", run="r", namespace="mig-conformance")
    scene.pod("driver")
    scene.own = {"driver"}
    for name in ("bystander", "driver"):
        scene.delete(name)

    (found,) = scene.deletions
    assert (found.pod, found.role) == ("mig-conformance/bystander", "pod of a user")


def test_what_else_tells_who_deleted_a_pod(scene: Scene) -> None:
    for name in ("evicted", "old", "controlled"):
        scene.pod(name, name, revision="1")
    scene.delete("evicted", disruption="EvictionByEvictionAPI")
    scene.delete("old")
    scene.pod("newer", "old", revision="2", new=True)
    scene.events = {*deleted_by_controllers(["Created pod: evicted", "Deleted pod: controlled"])}
    scene.delete("controlled")

    evicted, old, controlled = scene.deletions
    assert evicted.by_others
    assert old.rolled
    assert controlled.controller
    assert [it.by_product for it in scene.deletions] == [False, True, True]


def test_changes_count_in_the_order_in_which_they_were_made(scene: Scene) -> None:
    """Two watches deliver with delays of their own: the pod first, although the label was paused before."""
    scene.pod("plugin", DEVICE_PLUGIN_APP)
    scene.label(ASKED)
    paused = scene._node(), scene.labels | PAUSING
    scene.labels = paused[1]
    new = scene._node()
    scene.delete("plugin")
    diff.node(scene.timeline, node_view(paused[0]), node_view(new), new)

    (found,) = scene.deletions
    assert (found.step, found.by_product) == (Step.STOPPED, True)
