"""Simulated nodes that join an API server which is not theirs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from conformance.sim.apiserver import ApiServer
from conformance.sim.cluster.simulation import Simulation
from conformance.sim.kube import CLUSTER_POLICIES, CRDS, DAEMON_SETS, NAMESPACES, NODES, PODS, Kube
from conformance.sim.options import SimOptions

OPTIONS = SimOptions(gpu_nodes=1, gpus_per_node=1)


def joined(kubeconfig: Path, options: SimOptions = OPTIONS) -> Simulation:
    return Simulation(options, attach=kubeconfig, context=None, with_scheduler=True, with_controllers=True)


def test_nodes_join_work_and_leave_nothing(tmp_path: Path) -> None:
    async def join_and_leave() -> None:
        server = ApiServer(tmp_path)
        await server.start()
        kube = await Kube.connect(server.kubeconfig)
        before = {kind: len((await kube.list(kind)).items) for kind in (CRDS, NODES, PODS, DAEMON_SETS)}
        simulation = joined(server.kubeconfig)

        assert await simulation.start(tmp_path, 30) == server.kubeconfig
        (node,) = (await kube.list(NODES)).items
        assert node["status"]["allocatable"]["nvidia.com/gpu"] == "1"
        await simulation.stop()

        namespaces = kube.informer(NAMESPACES)
        gone = asyncio.Event()
        namespaces.on_change(lambda *_: gone.set() if namespaces.get("gpu-operator") is None else None)
        await namespaces.synced.wait()
        if namespaces.get("gpu-operator"):
            await asyncio.wait_for(gone.wait(), 10)
        assert {kind: len((await kube.list(kind)).items) for kind in before} == before
        await kube.close()
        await server.stop()

    asyncio.run(join_and_leave())


def test_nodes_leave_a_cluster_whose_operator_they_did_not_bring(tmp_path: Path) -> None:
    async def join_and_leave() -> None:
        server = ApiServer(tmp_path)
        await server.start()
        kube = await Kube.connect(server.kubeconfig)
        simulation = joined(server.kubeconfig, SimOptions(gpu_nodes=1, operator=False))
        await simulation.start(tmp_path, 30)
        assert len((await kube.list(NODES)).items) == 1
        await simulation.stop()

        assert (await kube.list(NODES)).items == []
        await kube.close()
        await server.stop()

    asyncio.run(join_and_leave())


def test_a_cluster_without_nodes_starts_although_no_node_can_run_the_operator(tmp_path: Path) -> None:
    async def start() -> bool:
        simulation = Simulation(
            SimOptions(gpu_nodes=0), attach=None, context=None, with_scheduler=True, with_controllers=True
        )
        kube = await Kube.connect(await simulation.start(tmp_path, 30))
        (policy,) = (await kube.list(CLUSTER_POLICIES)).items
        await kube.close()
        await simulation.stop()
        return "status" in policy

    assert not asyncio.run(start())
