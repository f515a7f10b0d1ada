"""The simulated backend through the cluster layer: the whole way, on the whole simulated cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.backends.backend import EVERYTHING, READ_ONLY, BackendError
from conformance.backends.choice import Choice, make_backend
from conformance.backends.live import LiveBackend
from conformance.backends.names import BACKENDS
from conformance.backends.simulated import SimulatedBackend, WithSimulatedGpus
from conformance.backends.simulation import SimOptions, fault_lines
from conformance.cluster import paths
from conformance.operations.evidence import Outcome
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.reconfigure import reconfigure
from conformance.operations.restored import RestoreOutcome
from conformance.operations.safekeeping import Safekeeping
from conformance.operations.selection import mig_nodes
from conformance.operations.strategy import CARRIERS, change_strategy
from conformance.sim.faults import FAULTS
from conformance.spec.names import (
    DEVICE_PLUGIN_APP,
    DRIVER_APP,
    DRIVER_CONTAINER,
    GFD_TIMESTAMP,
    MIG_CONFIG,
    MIG_CONFIG_STATE,
    MPS_CONTROL_DAEMON_APP,
    Strategy,
)
from tests.cluster.stand import Loop, Stand

SMALL = SimOptions("a30-24gb", gpus_per_node=2, gpu_nodes=2, faults=(), release="v26.7.0", seed=0)


@pytest.fixture(scope="module")
def cluster() -> Iterator[MigCluster]:
    backend = SimulatedBackend(SMALL)
    attachment = backend.start()
    assert attachment.permissions == EVERYTHING
    with MigCluster.connect(attachment.kubeconfig, clock=attachment.clock) as cluster:
        cluster.wait(lambda: all(MIG_CONFIG_STATE in node.labels for node in cluster.nodes()), "first answers", 60)
        yield cluster
    backend.stop()


def test_reconfiguration_strategy_and_restore(cluster: MigCluster) -> None:
    """All in one: changes are seen whole, and afterwards everything is as before."""
    before = {node.name: dict(node.labels) for node in cluster.nodes()}
    names = [node.name for node in mig_nodes(cluster)]
    keeping = Safekeeping(cluster, "run-1")
    with keeping:
        applied = reconfigure(cluster, dict.fromkeys(names, "all-1g.6gb"))
        again = reconfigure(cluster, dict.fromkeys(names, "all-1g.6gb"))
        refused = reconfigure(cluster, {names[0]: "all-9g.99gb"})[names[0]]
        mixed = change_strategy(cluster, Strategy.MIXED)

    for node, evidence in applied.items():
        assert (evidence.outcome, evidence.problem) == (Outcome.SUCCESS, ""), node
        states = [change.set[MIG_CONFIG_STATE] for change in evidence.changes if MIG_CONFIG_STATE in change.set]
        assert states == ["pending", "success"]
        old = {pod.uid for pod in evidence.pods_before if pod.app == DEVICE_PLUGIN_APP}
        new = {pod.uid for pod in evidence.pods_after if pod.app == DEVICE_PLUGIN_APP}
        assert len(new) == 1
        assert not old & new
        assert any("Successfully updated to MIG config: all-1g.6gb" in line for line in evidence.manager_log)
    for evidence in again.values():
        assert [change.set for change in evidence.changes if MIG_CONFIG_STATE in change.set] == [
            {MIG_CONFIG_STATE: "success"}
        ]
        assert not any("Updating MIG config" in line for line in evidence.manager_log)
    assert refused.outcome is Outcome.REFUSED
    assert "selected mig-config not present: all-9g.99gb" in refused.problem
    assert (mixed.problem, set(mixed.rolls) | {MPS_CONTROL_DAEMON_APP}) == ("", set(CARRIERS))
    assert keeping.report is not None
    assert (keeping.report.outcome, keeping.report.differences) == (RestoreOutcome.EXACT, ())
    for after in cluster.nodes():
        assert {**after.labels, GFD_TIMESTAMP: ""} == {**before[after.name], GFD_TIMESTAMP: ""}


def test_a_pending_that_was_left_over_holds_nothing_up(cluster: MigCluster) -> None:
    """mig-manager's log says that it is idle, whatever the state label says (gpu-operator issue 2833)."""
    cluster.set_labels("sim-0", {MIG_CONFIG_STATE: "pending"})
    configuration = cluster.node("sim-0").labels[MIG_CONFIG]

    assert reconfigure(cluster, {"sim-0": configuration})["sim-0"].outcome is Outcome.SUCCESS


def test_a_command_in_the_driver_pod(cluster: MigCluster) -> None:
    pod = cluster.operands("sim-0", DRIVER_APP)[0]

    listed = cluster.execute(pod, ["nvidia-smi", "-L"], DRIVER_CONTAINER)
    unknown = cluster.execute(pod, ["no-such-program"], DRIVER_CONTAINER)

    assert listed.exit_code == 0
    assert [line.split(":")[0] for line in listed.stdout.splitlines()] == ["GPU 0", "GPU 1"]
    assert unknown.exit_code == 127


def test_a_cluster_with_an_operator_is_not_joined(tmp_path: Path) -> None:
    loop = Loop()
    stand = Stand(loop, tmp_path)
    try:
        backend = WithSimulatedGpus(LiveBackend(stand.kubeconfig, None, READ_ONLY), SMALL)
        with pytest.raises(BackendError, match=r"has a GPU Operator already \(ClusterPolicy cluster-policy\)"):
            backend.start()
        backend.stop()
        assert stand.hand.get(paths.nodes())["items"] == []
    finally:
        stand.stop()
        loop.close()


@pytest.mark.parametrize("name", [name for name in BACKENDS if name != "control-plane"])
def test_every_choice_makes_a_backend_of_that_name(name: str) -> None:
    """But for the control plane, which is looked for at once and has tests of its own."""
    backend = make_backend(Choice(name, "run-1", SMALL))

    assert backend.name == name
    assert backend.simulated_gpus == (name != "live")


def test_a_live_cluster_with_simulated_gpus() -> None:
    assert make_backend(Choice("live", "run-1", SMALL, simulate_gpus=True)).simulated_gpus


def test_every_fault_is_described() -> None:
    assert len(fault_lines()) == len(FAULTS)
