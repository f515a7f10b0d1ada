"""Informers of client-go on the embedded server: watches end and resume and history is forgotten, as on a real one.

`MIG_CONFORMANCE_WATCH_SECONDS` makes the test longer; 600 is what a change of the server should pass.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from conformance.sim.apiserver import ApiServer, Settings
from conformance.sim.kube import CLUSTER_POLICIES, CRDS, NODES, PODS, Kube, Resource
from conformance.sim.tasks import Tasks

SECONDS = float(os.environ.get("MIG_CONFORMANCE_WATCH_SECONDS", "15"))
SHORT = Settings(history=500, longest_watch_seconds=3, bookmark_seconds=1)
"""Watches end every three seconds."""
COMPACTION_SECONDS = 0.7
"""Time between two compactions: several during each watch."""
PODS_AT_A_TIME = 10
SEQUENCE = "watch-check/sequence"
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
DEFINITION = {
    "metadata": {"name": "clusterpolicies.nvidia.com"},
    "spec": {
        "group": "nvidia.com",
        "scope": "Cluster",
        "names": {"plural": "clusterpolicies", "singular": "clusterpolicy", "kind": "ClusterPolicy"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": OPEN}}],
    },
}


@pytest.fixture
def program() -> str:
    """The client-go program."""
    folders = os.pathsep.join(filter(None, [os.environ.get("KUBEBUILDER_ASSETS"), os.environ.get("PATH")]))
    found = shutil.which("watch-check", path=folders)
    if found is None:
        pytest.skip("no watch-check; build it with: export KUBEBUILDER_ASSETS=$(tools/control-plane/build.sh)")
    return found


def test_informers_miss_nothing_and_do_not_list_over_and_over(program: str, tmp_path: Path) -> None:
    status, results = asyncio.run(_watch_while_things_change(program, tmp_path))

    assert status == 0, results
    for result in results.values():
        assert result["missed"] == []
        assert result["watches"] >= SECONDS / SHORT.longest_watch_seconds - 2
        assert result["lists"] <= 2 + result["watches"] / 10
        assert result["lists"] > 1 or result["skipped"] == 0
    assert results["nodes"]["events"] > SECONDS
    assert results["pods"]["events"] > SECONDS


async def _watch_while_things_change(program: str, directory: Path) -> tuple[int | None, Any]:
    """Run the program; return its exit status and what it printed."""
    server = ApiServer(directory, settings=SHORT)
    await server.start()
    kube = await Kube.connect(server.kubeconfig)
    await kube.create(CRDS, DEFINITION)
    await kube.create(CLUSTER_POLICIES, {"metadata": {"name": "quiet"}})
    await kube.create(NODES, {"metadata": {"name": "busy"}})
    changes = Tasks()
    changes.spawn(_compact(server), "compaction")
    changes.spawn(_count_up(kube, NODES, "busy", 0.02), "busy node")
    changes.spawn(_count_up(kube, CLUSTER_POLICIES, "quiet", 4.0), "quiet policy")
    changes.spawn(_come_and_go(kube), "pods")
    command = [program, "--kubeconfig", str(server.kubeconfig), "--for", f"{SECONDS}s"]
    informers = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await informers.communicate()
    await changes.stop()
    await kube.close()
    await server.stop()
    return informers.returncode, json.loads(output)


async def _compact(server: ApiServer) -> None:
    while True:
        await asyncio.sleep(COMPACTION_SECONDS)
        for collection in server.store._collections.values():
            collection._events.clear()
            collection.floor = server.store.revision


async def _count_up(kube: Kube, resource: Resource, name: str, seconds: float) -> None:
    for number in itertools.count():
        await kube.patch(resource, name, {"metadata": {"labels": {SEQUENCE: str(number)}}})
        await asyncio.sleep(seconds)


async def _come_and_go(kube: Kube) -> None:
    containers = [{"name": "c", "image": "i"}]
    for number in itertools.count():
        await kube.create(
            PODS, {"metadata": {"name": f"p{number}", "namespace": "default"}, "spec": {"containers": containers}}
        )
        await asyncio.sleep(0.05)
        if number >= PODS_AT_A_TIME:
            await kube.delete(PODS, f"p{number - PODS_AT_A_TIME}", "default", grace_seconds=0)
