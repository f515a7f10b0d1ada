"""A controller that keeps objects as a file says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conformance.sim.gitops import AGENT, GitOps, holds
from conformance.sim.kube import CONFIG_MAPS, NODES
from tests.sim.stage import stage

WANTED = {"kind": "Node", "metadata": {"name": "sim-0", "labels": {"a": "1"}}, "spec": {"unschedulable": None}}


async def test_it_sets_back_what_somebody_changes_and_nothing_else() -> None:
    async with stage() as it:
        at_work = asyncio.create_task(GitOps(it.kube, it.clock, [WANTED]).run())
        await it.until_node(lambda node: node["metadata"]["labels"].get("a") == "1")
        other = {"metadata": {"labels": {"a": "2", "b": "2"}}, "spec": {"unschedulable": True}}
        await it.kube.patch(NODES, "sim-0", other)
        await it.until_node(
            lambda node: (
                {"a": "1", "b": "2"}.items() <= node["metadata"]["labels"].items()
                and "unschedulable" not in node["spec"]
            )
        )
        at_work.cancel()
        await asyncio.gather(at_work, return_exceptions=True)
        node = await it.kube.get(NODES, "sim-0")  # informers drop managedFields

    assert AGENT in {entry["manager"] for entry in node["metadata"]["managedFields"]}


async def test_an_object_that_is_not_there_is_awaited() -> None:
    wanted = {"kind": "ConfigMap", "metadata": {"name": "x", "namespace": "default"}, "data": {"a": "1"}}
    async with stage() as it:
        at_work = asyncio.create_task(GitOps(it.kube, it.clock, [wanted]).run())
        await it.kube.create(CONFIG_MAPS, {"metadata": {"name": "x", "namespace": "default"}, "data": {"a": "2"}})
        found = it.kube.informer(CONFIG_MAPS).cache
        await it.until(lambda: found.get(("default", "x"), {}).get("data") == {"a": "1"}, CONFIG_MAPS)
        at_work.cancel()
        await asyncio.gather(at_work, return_exceptions=True)


@pytest.mark.parametrize(
    ("found", "held"),
    [({"a": {"b": 1, "c": 2}}, True), ({"a": {"b": 2}}, False), ({"a": {"b": 1, "x": 0}}, False), ({}, False)],
)
def test_what_holds(found: dict[str, Any], held: bool) -> None:
    assert holds(found, {"a": {"b": 1, "x": None}}) is held
