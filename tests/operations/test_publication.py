"""The published verdict: what is written where, replaced by the next run, and removed without a trace of others'."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.cluster import paths
from conformance.cluster.connecting import connect
from conformance.cluster.errors import ApiError, ClusterError, DeniedError
from conformance.cluster.limits import Limits
from conformance.cluster.transport import Transport
from conformance.operations.publication import CONFIG_MAP, Publication, Removal, publish, refuse_missing, unpublish
from conformance.spec.names import OPERATOR_NAMESPACE
from tests.cluster.stand import Stand

NAMESPACE = OPERATOR_NAMESPACE
PATH = paths.config_map(NAMESPACE, CONFIG_MAP)
OURS = {
    "mig-conformance/verdict": "certified",
    "mig-conformance/time": "2026-11-28T23:00:00+00:00",
    "mig-conformance/gpus": "real",
    "mig-conformance/suite": "1.2.3",
    "mig-conformance/report": f"sha256:{'ab' * 32}",
    "mig-conformance/config-map": f"{NAMESPACE}/{CONFIG_MAP}",
    "mig-conformance/node": "passed",
}
FIRST = Publication(
    verdict="certified",
    good=True,
    time="2026-11-28T23:00:00+00:00",
    gpus="real",
    suite="1.2.3",
    report=f"sha256:{'ab' * 32}",
    headline="certified, speaks of 28 of 28 requirements",
    summary="verdict       certified\n",
    nodes={"a": "passed", "b": "passed"},
)
SECOND = replace(FIRST, verdict="not-certified", good=False, report=f"sha256:{'cd' * 32}", nodes={"a": "failed"})


@pytest.fixture
def server(stand: Stand) -> Iterator[Transport]:
    """An API server with two nodes, as the suite reaches it."""
    for name in ("a", "b"):
        stand.node(name)
    stand.hand.patch(paths.node("a"), {"metadata": {"annotations": {"example.com/mine": "1"}}})
    with closing(connect(stand.kubeconfig, None, Limits())) as transport:
        yield transport


def published_on(server: Transport, node: str) -> dict[str, str]:
    return dict(server.get(paths.node(node))["metadata"].get("annotations") or {})


def events(server: Transport) -> list[dict[str, Any]]:
    return server.list(paths.events(NAMESPACE))


def test_nodes_a_config_map_and_an_event_say_the_verdict(server: Transport) -> None:
    assert publish(server, NAMESPACE, FIRST) == []

    assert published_on(server, "a") == OURS | {"example.com/mine": "1"}
    assert published_on(server, "b") == OURS
    found = server.get(PATH)
    assert found["data"] == {
        "verdict": "certified",
        "time": FIRST.time,
        "gpus": "real",
        "suite": "1.2.3",
        "report": FIRST.report,
        "summary": FIRST.summary,
    }
    (event,) = events(server)
    assert (event["type"], event["reason"], event["message"]) == ("Normal", "Certified", FIRST.headline)
    assert event["involvedObject"]["uid"] == found["metadata"]["uid"]


def test_kubectl_lists_the_event(server: Transport, stand: Stand) -> None:
    publish(server, NAMESPACE, SECOND)

    command = ["kubectl", f"--kubeconfig={stand.kubeconfig}", "get", "events", "-n", NAMESPACE]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    for word in ("Warning", "NotCertified", f"configmap/{CONFIG_MAP}", FIRST.headline):
        assert word in shown


def test_the_next_run_replaces_the_values(server: Transport) -> None:
    publish(server, NAMESPACE, FIRST)
    publish(server, NAMESPACE, SECOND)

    found = published_on(server, "a")
    assert (found["mig-conformance/verdict"], found["mig-conformance/node"]) == ("not-certified", "failed")
    assert found["mig-conformance/report"] == SECOND.report
    assert server.get(PATH)["data"]["verdict"] == "not-certified"
    assert sorted(event["reason"] for event in events(server)) == ["Certified", "NotCertified"]


def test_a_node_that_is_gone_is_named_and_the_others_are_written(server: Transport, stand: Stand) -> None:
    stand.hand.delete(paths.node("a"))

    (line,) = publish(server, NAMESPACE, FIRST)

    assert line.startswith("node a: ")
    assert published_on(server, "b") == OURS


def test_a_config_map_of_somebody_else_stays(server: Transport, stand: Stand) -> None:
    body = {"metadata": {"name": CONFIG_MAP}, "data": {"theirs": "1"}}
    stand.hand.create(paths.config_maps(NAMESPACE), body)

    with pytest.raises(ClusterError, match=f"configmap {NAMESPACE}/{CONFIG_MAP} is not of the suite.*--publish-names"):
        publish(server, NAMESPACE, FIRST)
    assert published_on(server, "b") == {}
    assert unpublish(server, [NAMESPACE]) == Removal(
        (f"left, because it is not of the suite: configmap {NAMESPACE}/{CONFIG_MAP}",)
    )
    assert server.get(PATH)["data"] == {"theirs": "1"}


def test_all_of_it_can_be_removed(server: Transport) -> None:
    publish(server, NAMESPACE, FIRST)
    publish(server, NAMESPACE, SECOND)

    assert unpublish(server, []) == Removal(
        (
            f"removed configmap {NAMESPACE}/{CONFIG_MAP}",
            f"removed 2 events in namespace {NAMESPACE}",
            "removed the annotations of 2 nodes",
        )
    )
    assert (published_on(server, "a"), published_on(server, "b")) == ({"example.com/mine": "1"}, {})
    assert events(server) == []
    with pytest.raises(ApiError, match="NotFound"):
        server.get(PATH)
    assert unpublish(server, [NAMESPACE]) == Removal()


def test_what_cannot_be_removed_is_told_and_the_rest_goes(server: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(server, NAMESPACE, FIRST)
    refused = DeniedError(f"DELETE {PATH}", 403, "Forbidden", "no right")

    def refuse(_path: str) -> None:
        raise refused

    monkeypatch.setattr(server, "delete", refuse)

    assert unpublish(server, []) == Removal(
        ("removed the annotations of 2 nodes",), (f"namespace {NAMESPACE}: {refused}",)
    )


def test_what_others_wrote_is_not_removed(server: Transport, stand: Stand) -> None:
    publish(server, NAMESPACE, FIRST)
    stand.hand.patch(paths.node("a"), {"metadata": {"annotations": {"mig-conformance/verdict": "of somebody else"}}})
    about = {"kind": "ConfigMap", "name": CONFIG_MAP, "namespace": NAMESPACE}
    stand.hand.create(paths.events(NAMESPACE), {"metadata": {"name": "theirs"}, "involvedObject": about})

    unpublish(server, [NAMESPACE])

    assert published_on(server, "a") == {"example.com/mine": "1", "mig-conformance/verdict": "of somebody else"}
    assert [event["metadata"]["name"] for event in events(server)] == ["theirs"]


def test_a_namespace_that_is_not_there_is_told_before_the_run(server: Transport) -> None:
    refuse_missing(server, NAMESPACE)

    with pytest.raises(ClusterError, match=r"namespace nowhere, which does not exist: create it, or .*Nothing was cha"):
        refuse_missing(server, "nowhere")


def test_a_real_control_plane_takes_it(control_plane: Path) -> None:
    with closing(connect(control_plane, None, Limits())) as server:
        server.create(paths.nodes(), {"metadata": {"name": "published"}})
        publication = replace(SECOND, nodes={"published": "failed"}, headline="x" * 2000)
        try:
            assert publish(server, "default", publication) == []
            assert publish(server, "default", publication) == []
            assert published_on(server, "published")["mig-conformance/node"] == "failed"
        finally:
            removal = unpublish(server, ["default"])
            server.delete(paths.node("published"))
        assert (removal.done[-1], removal.failed) == ("removed the annotations of 1 node", ())
        assert not [event for event in server.list(paths.events("default")) if CONFIG_MAP in event["metadata"]["name"]]
