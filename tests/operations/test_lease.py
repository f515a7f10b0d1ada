"""One run at a time, also where the clocks of two machines differ or two runs begin at the same moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conformance.cluster import paths
from conformance.cluster.errors import ApiError
from conformance.operations import namespace
from conformance.operations.errors import LeaseHeldError
from conformance.operations.lease import LEASE_NAME, RunLease, lease_holder
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.namespace import ensure_namespace
from conformance.operations.restored import RestoreOutcome
from conformance.operations.safekeeping import Safekeeping
from conformance.spec.times import api_micro_time
from tests.cluster.stand import QUICK, Stand

OFF = timedelta(minutes=10)
LEASE = paths.lease("mig-conformance", LEASE_NAME)


class Elsewhere:
    """A run on a machine whose clock is off, which renews its lease until it is killed."""

    def __init__(self, stand: Stand, off: timedelta) -> None:
        self._hand, self._off = stand.hand, off
        self._killed = threading.Event()
        stand.hand.create(paths.leases("mig-conformance"), {"metadata": {"name": LEASE_NAME}, "spec": self._spec()})
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def kill(self) -> None:
        self._killed.set()
        self._thread.join()

    def _spec(self) -> dict[str, object]:
        now = api_micro_time(datetime.now(UTC) + self._off)
        return {"holderIdentity": "bob@there, run 2", "leaseDurationSeconds": 1, "renewTime": now}

    def _renew(self) -> None:
        while not self._killed.wait(QUICK.lease / 3):
            self._hand.patch(LEASE, {"spec": self._spec()})


@pytest.fixture(params=[-OFF, OFF], ids=["behind", "ahead"])
def elsewhere(request: pytest.FixtureRequest, stand: Stand, cluster: MigCluster) -> Iterator[Elsewhere]:
    ensure_namespace(cluster, "run-2")
    run = Elsewhere(stand, request.param)
    yield run
    run.kill()


def test_a_run_whose_clock_is_off_keeps_its_lease(elsewhere: Elsewhere, cluster: MigCluster) -> None:
    with pytest.raises(LeaseHeldError, match="bob@there, run 2"):
        RunLease(cluster, "alice@here, run 1").acquire(patiently=True)

    assert elsewhere


def test_the_lease_of_a_killed_run_whose_clock_was_off_is_free_soon(elsewhere: Elsewhere, cluster: MigCluster) -> None:
    elsewhere.kill()
    begun = time.monotonic()
    lease = RunLease(cluster, "alice@here, run 1")
    lease.acquire(patiently=True)
    lease.release()

    assert time.monotonic() - begun < 10


def test_a_run_that_lost_its_lease_to_one_whose_clock_is_off_restores_nothing(
    stand: Stand, cluster: MigCluster
) -> None:
    keeping = Safekeeping(cluster, "run-1")

    def run() -> None:
        with keeping:
            cluster.set_labels("a", {"tier": "1"})
            behind = api_micro_time(datetime.now(UTC) - OFF)
            stand.hand.patch(LEASE, {"spec": {"holderIdentity": "thief", "renewTime": behind}})
            cluster.wait(lambda: False, "anything", 5)

    with pytest.raises(LeaseHeldError, match="thief"):
        run()

    assert keeping.report is not None
    assert keeping.report.differences == ("another run took over this cluster and puts back what this one changed",)
    assert stand.hand.get(LEASE)["spec"]["holderIdentity"] == "thief"


def test_of_two_runs_that_begin_at_the_same_moment_one_is_refused(
    stand: Stand, cluster: MigCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen that there is no namespace and no lease."""
    first, create = Safekeeping(cluster, "run-1"), cluster.transport.create
    began = False

    def created(path: str, body: object) -> object:
        nonlocal began
        if not began:
            began = True
            first.enter()
        return create(path, body)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(cluster.transport, "create", created)
        with pytest.raises(LeaseHeldError, match="another run is using this cluster"):
            Safekeeping(cluster, "run-2").enter()

    assert stand.hand.get(LEASE)["spec"]["holderIdentity"].endswith("run run-1")
    first.__exit__(None, None, None)
    with pytest.raises(ApiError, match="NotFound"):
        stand.hand.get(LEASE)


def test_a_lease_that_somebody_annotates_is_renewed_and_released(stand: Stand, cluster: MigCluster) -> None:
    ensure_namespace(cluster, "run-1")
    lease = RunLease(cluster, "alice@here, run 1")
    lease.acquire()
    read, annotated = lease._read, iter(range(3))

    def annotating() -> object:
        held = read()
        if next(annotated, None) is not None:
            stand.hand.patch(LEASE, {"metadata": {"annotations": {"seen": str(time.monotonic())}}})
        return held

    lease._read = annotating  # type: ignore[method-assign, assignment]
    stand.hand.patch(LEASE, {"metadata": {"annotations": {"seen": "by bob"}}})
    time.sleep(QUICK.lease)  # it is renewed at every third of it
    cluster.guard.check()
    lease.release()

    with pytest.raises(ApiError, match="NotFound"):
        stand.hand.get(LEASE)


def test_a_namespace_that_another_run_has_just_made_is_fine(
    cluster: MigCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_namespace(cluster, "run-1")
    monkeypatch.setattr(namespace, "_read", lambda _: None)
    ensure_namespace(cluster, "run-2")


@pytest.mark.parametrize(
    "written",
    [{"spec": None}, {"spec": {"holderIdentity": "bob", "renewTime": None}}],
    ids=["without a spec", "by nobody who renews it"],
)
def test_a_lease_that_somebody_spoils_is_no_other_run(
    written: dict[str, Any], stand: Stand, cluster: MigCluster
) -> None:
    """The run ends, and puts back what it changed: nobody else will."""
    keeping = Safekeeping(cluster, "run-1").enter()
    cluster.set_labels("a", {"example.com/tier": "1"})
    stand.hand.patch(LEASE, written)
    with pytest.raises(LeaseHeldError, match="somebody changed lease mig-conformance in namespace mig-conformance"):
        cluster.wait(lambda: False, "the next renewal", 10)
    keeping.__exit__(None, None, None)

    assert keeping.report is not None
    assert keeping.report.outcome is RestoreOutcome.EXACT
    assert "example.com/tier" not in stand.hand.get(paths.node("a"))["metadata"]["labels"]


def test_a_lease_without_a_spec_is_free(stand: Stand, cluster: MigCluster) -> None:
    ensure_namespace(cluster, "run-1")
    stand.hand.create(paths.leases("mig-conformance"), {"metadata": {"name": "mig-conformance"}})

    assert lease_holder(cluster) == ""
    lease = RunLease(cluster, "alice@here, run 1")
    lease.acquire()
    assert lease_holder(cluster) == "alice@here, run 1"
    lease.release()
