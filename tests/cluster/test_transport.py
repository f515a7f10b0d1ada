"""Lists page by page, and how often the server was asked."""

from __future__ import annotations

import threading

import pytest

from conformance.cluster import paths, transport
from conformance.cluster.connecting import connect
from conformance.cluster.errors import ApiError
from conformance.cluster.transport import CONNECTIONS, Transport
from conformance.operations.mig_cluster import MigCluster
from tests.cluster.stand import QUICK, Stand, pod_manifest


@pytest.fixture
def asked(stand: Stand) -> Transport:
    """A client that has not asked anything but the version yet."""
    client = connect(stand.kubeconfig, None, QUICK)
    client.requests.clear()
    return client


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (1, 1), (3, 1), (4, 2), (10, 4)])
def test_a_list_is_read_page_by_page(
    count: int, pages: int, stand: Stand, asked: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "PAGE", "3")
    for number in range(count):
        stand.node(f"n{number:02}")

    items = asked.list(paths.nodes())

    assert [item["metadata"]["name"] for item in items] == [f"n{number:02}" for number in range(count)]
    assert dict(asked.requests) == {"list": pages}


def test_a_list_keeps_to_what_was_asked_on_every_page(
    stand: Stand, asked: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "PAGE", "1")
    for number in range(6):
        stand.node(f"n{number}", {"even": str(number % 2 == 0)})
    query = {"labelSelector": "even=True"}

    assert [item["metadata"]["name"] for item in asked.list(paths.nodes(), query)] == ["n0", "n2", "n4"]
    assert query == {"labelSelector": "even=True"}


def test_requests_are_counted_by_verb(stand: Stand, asked: Transport) -> None:
    stand.node("a")
    asked.get(paths.nodes())
    asked.get(paths.node("a"))
    asked.get(paths.all_pods(), {"fieldSelector": "spec.nodeName=a"})
    asked.create(paths.pods("default"), pod_manifest("p"))
    asked.replace(paths.pod("default", "p"), asked.get(paths.pod("default", "p")))
    asked.patch(paths.node("a"), {"metadata": {"labels": {"x": "1"}}})
    asked.delete(paths.pod("default", "p"), grace=0)
    asked.delete(paths.pod("default", "p"))
    asked.stream(paths.nodes(), {"watch": "1"}, 1).close()

    assert dict(asked.requests) == {
        "list": 2, "get": 2, "create": 1, "update": 1, "patch": 1, "delete": 2, "watch": 1,
    }  # fmt: skip


def test_what_the_server_refuses_was_asked_as_well(asked: Transport) -> None:
    with pytest.raises(ApiError):
        asked.get(paths.node("none"))

    assert dict(asked.requests) == {"get": 1}


def test_no_request_is_lost_where_many_ask_at_once(asked: Transport) -> None:
    threads = [threading.Thread(target=asked.get, args=(paths.nodes(),)) for _ in range(3 * CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert dict(asked.requests) == {"list": 3 * CONNECTIONS}


def test_a_cluster_lists_once_and_watches(stand: Stand) -> None:
    """Views cost nothing after that, however often they are looked at."""
    stand.node("a")
    with MigCluster.connect(stand.kubeconfig, limits=QUICK) as cluster:
        listed = cluster.transport.requests["list"]
        for _ in range(100):
            cluster.node("a")
            cluster.pods(node="a")
            cluster.policy()

        assert listed == 4
        assert cluster.transport.requests["list"] == listed
        assert cluster.transport.requests["get"] == 1


class Cut:
    """An answer of which a load balancer has passed on only the beginning."""

    def __init__(self, data: bytes) -> None:
        self.status, self._data = 200, data

    def read(self) -> bytes:
        return self._data

    def getheader(self, name: str) -> str | None:
        del name
        return None


@pytest.mark.parametrize("data", [b"", b'{"kind": "Node", "metad'])
def test_an_answer_that_was_cut_is_asked_for_again(
    data: bytes, stand: Stand, asked: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.node("a")
    whole, cut = asked._send, [Cut(data)]
    monkeypatch.setattr(asked, "_send", lambda *args, **more: cut.pop() if cut else whole(*args, **more))

    assert asked.get(paths.node("a"))["metadata"]["name"] == "a"
    assert not cut
