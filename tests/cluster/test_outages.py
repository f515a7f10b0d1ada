"""An API server that does not answer for a while: requests and waits ride it out, and the timeline says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.cluster import paths
from conformance.cluster.changes import Outage
from conformance.cluster.clock import RealClock
from conformance.cluster.errors import AccessLostError, InconclusiveError, UnreachableError
from conformance.cluster.outages import Lost, Outages
from conformance.cluster.waiting import Deadline
from conformance.operations.mig_cluster import MigCluster
from conformance.sim.apiserver import Interruption
from conformance.spec.names import MIG_CONFIG
from tests.cluster.stand import QUICK, Loop, Stand

SECONDS = 1.5
PATIENT = replace(QUICK, unreachable=20, request=20)


@pytest.fixture
def patient(stand: Stand) -> Iterator[MigCluster]:
    stand.node("a", {MIG_CONFIG: "all-disabled"}, gpu=8)
    with MigCluster.connect(stand.kubeconfig, limits=PATIENT) as cluster:
        yield cluster


def interrupted(
    loop: Loop, stand: Stand, how: Interruption, act: Callable[[], object], seconds: float = SECONDS
) -> None:
    """Act while the server does not work; it resumes after some time."""
    loop.run(stand.server.interrupt(how))
    timer = threading.Timer(seconds, lambda: loop.run(stand.server.resume()))
    timer.start()
    act()
    timer.join()


@pytest.mark.parametrize("how", Interruption)
def test_requests_wait_until_the_server_answers_again(
    loop: Loop, stand: Stand, patient: MigCluster, how: Interruption
) -> None:
    def act() -> None:
        patient.transport.create(paths.config_maps("default"), {"metadata": {"name": "made"}})
        patient.patch(paths.node("a"), {"metadata": {"labels": {MIG_CONFIG: "x"}}})

    interrupted(loop, stand, how, act)

    patient.wait(lambda: patient.node("a").labels.get(MIG_CONFIG) == "x", "the label", 10)
    assert patient.config_map("made", "default") == {}


@pytest.mark.parametrize("how", Interruption)
def test_an_outage_does_not_count_for_a_wait_and_is_in_the_timeline(
    loop: Loop, stand: Stand, patient: MigCluster, how: Interruption
) -> None:
    """The limit of the wait is shorter than the outage."""

    def label_it_later_and_wait() -> None:
        threading.Timer(SECONDS + 0.2, lambda: stand.label("a", mig__config="later")).start()
        patient.wait(lambda: patient.node("a").labels.get(MIG_CONFIG) == "later", "the label", SECONDS * 0.8)

    interrupted(loop, stand, how, label_it_later_and_wait)

    assert patient.wait(lambda: patient.timeline.of(Outage), "the end of the outage of all watches", 10)
    assert "did not answer" in patient.guard.trouble("a", 0)


def test_an_outage_begins_when_the_connection_ends_and_not_with_the_last_event(loop: Loop, stand: Stand) -> None:
    """Nothing happened for longer than an API server may be away; then it is away for less."""
    with MigCluster.connect(stand.kubeconfig, limits=replace(QUICK, unreachable=1.5, watch=60)) as cluster:
        assert cluster.observe(lambda: False, 2, "a quiet time") is None
        interrupted(loop, stand, Interruption.DOWN, lambda: cluster.observe(lambda: False, 1, "the outage"), 0.5)


def test_an_answer_that_is_lost_is_no_second_object(stand: Stand, patient: MigCluster) -> None:
    """The server has made the object, and the connection breaks before it says so."""
    send, broken = patient.transport._read, [UnreachableError("cut")]

    def read(response: Any, method: str, path: str, *, as_json: bool) -> bytes:
        answer = send(response, method, path, as_json=as_json)
        if broken:
            raise broken.pop()
        return answer

    patient.transport._read = read  # type: ignore[method-assign]
    made = patient.transport.create(paths.config_maps("default"), {"metadata": {"name": "made"}})

    assert made["metadata"]["uid"] == stand.hand.get(paths.config_map("default", "made"))["metadata"]["uid"]


def test_a_server_that_stays_away_ends_waits(loop: Loop, stand: Stand, tmp_path: Path) -> None:
    del tmp_path
    with MigCluster.connect(stand.kubeconfig, limits=QUICK) as cluster:
        loop.run(stand.server.interrupt(Interruption.UNAVAILABLE))
        begun = time.monotonic()
        with pytest.raises(UnreachableError, match="no answer for"):
            cluster.wait(lambda: False, "anything", 600)
        assert time.monotonic() - begun < 15
        loop.run(stand.server.resume())


def test_a_server_that_stays_away_is_awaited_once_and_not_by_every_request(loop: Loop, stand: Stand) -> None:
    with MigCluster.connect(stand.kubeconfig, limits=replace(QUICK, unreachable=3)) as cluster:
        loop.run(stand.server.interrupt(Interruption.UNAVAILABLE))
        begun = time.monotonic()
        for _ in range(5):
            with pytest.raises(UnreachableError, match="503"):
                cluster.transport.get(paths.nodes())
        assert 3 <= time.monotonic() - begun < 14
        loop.run(stand.server.resume())
        assert cluster.transport.get(paths.nodes())["items"] == []


@pytest.mark.parametrize("how", Interruption)
def test_who_gives_up_waits_for_no_server(loop: Loop, stand: Stand, how: Interruption) -> None:
    with MigCluster.connect(stand.kubeconfig, limits=replace(QUICK, unreachable=60, request=60, connect=2)) as cluster:
        loop.run(stand.server.interrupt(how))
        threading.Timer(0.5, lambda: cluster.give_up(InconclusiveError("interrupted"))).start()
        begun = time.monotonic()
        with pytest.raises(InconclusiveError):
            cluster.wait(lambda: False, "anything", 600)
        for _ in range(5):
            with pytest.raises(UnreachableError):
                cluster.transport.get(paths.nodes())
        assert time.monotonic() - begun < 10
        loop.run(stand.server.resume())
        with pytest.raises(InconclusiveError, match="interrupted"):
            cluster.wait(lambda: True, "anything", 600)


def test_who_gives_up_ends_a_request_that_is_sent_again(loop: Loop, stand: Stand, patient: MigCluster) -> None:
    loop.run(stand.server.interrupt(Interruption.DOWN))
    threading.Timer(0.5, patient.transport.patience.end).start()
    begun = time.monotonic()
    with pytest.raises(UnreachableError):
        patient.transport.get(paths.nodes())
    assert time.monotonic() - begun < 5
    loop.run(stand.server.resume())


def test_who_gives_up_cuts_off_requests_in_flight(loop: Loop, stand: Stand) -> None:
    """Those that a server accepted and does not answer; a request that is answered in time is none of them."""
    with MigCluster.connect(stand.kubeconfig, limits=replace(PATIENT, connect=1.0, request=60)) as cluster:
        cluster.transport.get(paths.nodes())
        loop.run(stand.server.interrupt(Interruption.PAUSED))
        threading.Timer(0.5, cluster.transport.patience.end).start()
        begun = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(cluster.transport.get, paths.nodes()) for _ in range(4)]
        assert [type(it.exception()) for it in asked] == [UnreachableError] * 4
        with pytest.raises(UnreachableError):
            cluster.transport.get(paths.nodes())
        assert time.monotonic() - begun < 10
        loop.run(stand.server.resume())


def test_who_gives_up_can_still_put_back(stand: Stand) -> None:
    stand.node("a")
    with MigCluster.connect(stand.kubeconfig, limits=replace(QUICK, connect=0.2)) as cluster:
        cluster.transport.patience.end()
        until = time.monotonic() + 1
        while time.monotonic() < until:
            cluster.transport.get(paths.node("a"))


def test_a_token_that_is_revoked_ends_waits_as_what_it_is(stand: Stand, tmp_path: Path) -> None:
    token = stand.in_loop(lambda: stand.server.new_token("alice"))
    kubeconfig = tmp_path / "alice"
    text = stand.kubeconfig.read_text()
    own = next(line.partition("token: ")[2] for line in text.splitlines() if "token: " in line)
    kubeconfig.write_text(text.replace(own, token))
    with MigCluster.connect(kubeconfig, limits=QUICK) as cluster:
        stand.in_loop(lambda: stand.server.revoke(token))
        with pytest.raises(AccessLostError, match="401"):
            cluster.wait(lambda: False, "anything", 600)


def test_time_without_a_server_does_not_count_for_a_deadline() -> None:
    lost = [Lost()]
    deadline = Deadline(RealClock(), 3600, outages=lambda: lost[0])
    lost[0] = Lost(seconds=-3600, real=-3600)  # as if an hour had passed

    assert deadline.expired
    lost[0] = Lost()
    assert not deadline.expired


def test_outages_of_several_watches_overlap() -> None:
    now = [0.0]
    outages = Outages(lambda: now[0])
    outages.lost("nodes")
    now[0] = 5.0
    outages.lost("pods")
    assert outages.found("nodes") is None
    now[0] = 7.0
    assert outages.total().seconds == 7.0
    ended = outages.found("pods")
    now[0] = 9.0

    assert ended is not None
    assert ended.seconds == outages.total().seconds == 7.0
    assert outages.found("pods") is None
