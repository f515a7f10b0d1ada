"""A pod is kept with a finalizer, and nothing of it stays."""

from __future__ import annotations

import pytest

from conformance.cluster import paths
from conformance.cluster.errors import InconclusiveError
from conformance.operations.pod_keeping import FINALIZER, kept
from conformance.spec.names import OPERATOR_NAMESPACE
from tests.suite.memory import Memory

PATH = paths.pod(OPERATOR_NAMESPACE, "plugin")


def finalizers(memory: Memory) -> list[str] | None:
    found: list[str] | None = memory.get(PATH)["metadata"].get("finalizers")
    return found


def with_plugin() -> Memory:
    memory = Memory()
    memory.pod("plugin")
    return memory


def test_finalizer_is_there_for_the_block_only() -> None:
    memory = with_plugin()
    (pod,) = memory.cluster.pods(namespace=OPERATOR_NAMESPACE)

    with kept(memory.cluster, pod):
        assert finalizers(memory) == [FINALIZER]
    assert finalizers(memory) is None


def test_finalizers_of_others_stay() -> None:
    memory = with_plugin()
    raw = memory.get(PATH)
    memory.put(PATH, raw | {"metadata": raw["metadata"] | {"finalizers": ["theirs"]}})
    (pod,) = memory.cluster.pods(namespace=OPERATOR_NAMESPACE)

    with kept(memory.cluster, pod):
        assert finalizers(memory) == ["theirs", FINALIZER]
    assert finalizers(memory) == ["theirs"]


def test_a_pod_that_did_not_stay_says_nothing_about_the_cluster() -> None:
    """Only somebody who takes the finalizer away can make it go."""
    memory = with_plugin()
    (pod,) = memory.cluster.pods(namespace=OPERATOR_NAMESPACE)

    with pytest.raises(InconclusiveError, match="took the finalizer mig-conformance/keep"), kept(memory.cluster, pod):
        memory.delete(PATH)
