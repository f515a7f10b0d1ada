"""The roll of a strategy through the DaemonSets that carry it; the hand plays operator and controllers."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from conformance.cluster import paths
from conformance.cluster.changes import PolicyChange
from conformance.operations.errors import ForeignChangeError
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.strategy import change_strategy
from conformance.spec.names import DEVICE_PLUGIN_APP, FEATURE_DISCOVERY_APP, Strategy
from tests.cluster.stand import Stand

HASH = "controller-revision-hash"


@pytest.fixture
def rolled(stand: Stand, cluster: MigCluster) -> MigCluster:
    """Two DaemonSets that have rolled to `single`, each with a pod on node `a`."""
    for name in (DEVICE_PLUGIN_APP, FEATURE_DISCOVERY_APP):
        stand.daemon_set(name, "single")
        stand.roll(name, desired=1)
        stand.pod(f"{name}-1", node="a", app=name, owner=name, labels={HASH: "old"})
    cluster.wait(lambda: len([pod for pod in cluster.pods(node="a") if pod.ready]) == 2, "the pods", 2)
    cluster.wait(lambda: [view.rolled for view in cluster.daemon_sets()] == [True, True], "the DaemonSets", 2)
    return cluster


def new_pod(stand: Stand, name: str) -> None:
    stand.remove_pod(f"{name}-1")
    stand.pod(f"{name}-2", node="a", app=name, owner=name, labels={HASH: "new"})


def operator(stand: Stand, act: Callable[[], None]) -> threading.Thread:
    """Act once the strategy is patched, as the operator does."""

    def follow() -> None:
        while stand.hand.get(paths.policy("cluster-policy"))["spec"]["mig"]["strategy"] == "single":
            pass
        act()

    thread = threading.Thread(target=follow)
    thread.start()
    return thread


def test_a_roll_is_complete_when_every_pod_is_new(stand: Stand, rolled: MigCluster) -> None:
    def roll() -> None:
        for name in (DEVICE_PLUGIN_APP, FEATURE_DISCOVERY_APP):
            stand.template(name, "mixed")
            new_pod(stand, name)
            stand.roll(name, desired=1)

    thread = operator(stand, roll)
    change = change_strategy(rolled, Strategy.MIXED)
    thread.join()

    assert (change.problem, change.before, change.patched) == ("", "single", True)
    assert change.finished is not None
    assert {name: roll.complete for name, roll in change.rolls.items()} == {
        DEVICE_PLUGIN_APP: True,
        FEATURE_DISCOVERY_APP: True,
    }
    assert [pod.template_hash for pod in change.rolls[DEVICE_PLUGIN_APP].pods_after] == ["new"]
    assert [c.describe() for c in change.history if isinstance(c, PolicyChange)] == [
        "ClusterPolicy strategy: single -> mixed"
    ]


def test_counts_that_speak_of_the_old_template_do_not_pass(stand: Stand, rolled: MigCluster) -> None:
    """The controller has not looked yet, so all seems available: docs/reference/gpu-operator.md#when-a-roll-is-over."""

    def tell() -> None:
        for name in (DEVICE_PLUGIN_APP, FEATURE_DISCOVERY_APP):
            stand.template(name, "mixed")

    thread = operator(stand, tell)
    change = change_strategy(rolled, Strategy.MIXED)
    thread.join()

    assert change.finished is None
    assert f"DaemonSet {DEVICE_PLUGIN_APP}: its controller has not observed the new template" in change.problem


def test_an_operand_that_the_operator_forgets_is_named(stand: Stand, rolled: MigCluster) -> None:
    def roll() -> None:
        stand.template(FEATURE_DISCOVERY_APP, "mixed")
        new_pod(stand, FEATURE_DISCOVERY_APP)
        stand.roll(FEATURE_DISCOVERY_APP, desired=1)

    thread = operator(stand, roll)
    change = change_strategy(rolled, Strategy.MIXED)
    thread.join()

    assert change.problem == f"template of DaemonSet {DEVICE_PLUGIN_APP} still has MIG_STRATEGY=single"
    assert change.rolls[FEATURE_DISCOVERY_APP].complete
    assert change.finished is None


def test_a_pod_that_crashes_on_the_new_strategy_ends_the_wait(stand: Stand, rolled: MigCluster) -> None:
    def roll() -> None:
        for name in (DEVICE_PLUGIN_APP, FEATURE_DISCOVERY_APP):
            stand.template(name, "mixed")
            new_pod(stand, name)
        stand.roll(FEATURE_DISCOVERY_APP, desired=1)
        stand.roll(DEVICE_PLUGIN_APP, desired=1, available=0)
        stand.pod_status(f"{DEVICE_PLUGIN_APP}-2", ready=False, restarts=4, waiting="CrashLoopBackOff")

    thread = operator(stand, roll)
    begun = rolled.clock.now()
    change = change_strategy(rolled, Strategy.MIXED)
    thread.join()

    assert rolled.clock.now() - begun < rolled.limits.strategy_roll
    assert f"{DEVICE_PLUGIN_APP}-2 on a is CrashLoopBackOff" in change.problem


def test_the_wanted_strategy_is_not_patched_again(stand: Stand, rolled: MigCluster) -> None:
    before = rolled.policy().version

    change = change_strategy(rolled, Strategy.SINGLE)

    assert (change.patched, change.problem) == (False, "")
    assert stand.hand.get(paths.policy("cluster-policy"))["metadata"]["resourceVersion"] == before


def test_a_strategy_that_somebody_changed_meanwhile_is_not_overwritten(stand: Stand, cluster: MigCluster) -> None:
    watcher = next(w for w in cluster._watchers if w._table.title == "clusterpolicies")
    watcher.stop()  # the suite does not know yet
    stand.strategy("none")

    with pytest.raises(ForeignChangeError, match=r"spec.mig.strategy of clusterpolicy cluster-policy: single -> none"):
        cluster.set_strategy("mixed")

    assert stand.hand.get(paths.policy("cluster-policy"))["spec"]["mig"]["strategy"] == "none"


@pytest.mark.parametrize("found", [None, "", "mixed"])
def test_every_former_strategy_can_be_put_back(cluster: MigCluster, found: str | None) -> None:
    cluster.set_strategy(found)
    cluster.wait(lambda: cluster.policy().strategy == found, "the strategy", 2)
    cluster.set_strategy("single")
    cluster.wait(lambda: cluster.policy().strategy == "single", "the strategy", 2)

    cluster.set_strategy(found)

    cluster.wait(lambda: cluster.policy().strategy == found, "the strategy", 2)
