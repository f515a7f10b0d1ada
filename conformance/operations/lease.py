"""Allows one run at a time, through a Lease (coordination.k8s.io/v1) in the suite's namespace."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from conformance.cluster import paths
from conformance.cluster.client import Cluster
from conformance.cluster.errors import ApiError, ClusterError
from conformance.cluster.views import timestamp
from conformance.operations.errors import LeaseHeldError
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.namespace import unless_deleted
from conformance.spec.times import api_micro_time

LEASE_NAME: Final = "mig-conformance"


def lease_holder(cluster: Cluster) -> str:
    """Return who holds the lease now; empty if nobody does, or if the holder has stopped to renew it."""
    try:
        spec = _spec(cluster.transport.get(paths.lease(cluster.namespace, LEASE_NAME)))
    except ApiError as error:
        if error.not_found:
            return ""
        raise
    return str(spec.get("holderIdentity") or "") if _seconds_left(spec) else ""


class RunLease:
    """The lease of one run. Once it is acquired, a thread renews it; if it is lost, the guard fails every wait.

    Attributes:
        taken_over: Whether the lease names another run now. That run puts back what this one changed.
    """

    def __init__(self, cluster: MigCluster, holder: str) -> None:
        """Prepare the lease. Nothing is written before `acquire`.

        Args:
            cluster: The cluster.
            holder: Description of this run for other users, such as `alice@host, run 7f3a`.
        """
        self._cluster = cluster
        self._holder = holder
        self._seconds = cluster.limits.lease
        self._namespace = cluster.namespace
        self._path = paths.lease(cluster.namespace, LEASE_NAME)
        self._version = ""
        self.taken_over = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="renew lease", daemon=True)

    def acquire(self, *, patiently: bool = False) -> None:
        """Acquire the lease and start to renew it.

        An expired lease is not taken at once, because the clocks of two machines may differ: this run first waits twice
        as long as the holder takes to renew it, and fails if the holder does. In the same way, a lease whose time of
        renewal lies in the future lasts no longer than its duration from now.

        Args:
            patiently: Whether to wait until a lease expires whose holder does not renew it: that run was killed.

        Raises:
            LeaseHeldError: Another run holds the lease; the message names it, its last renewal, and the time until the
                lease expires if that run was killed.
        """
        held = self._read()
        left = _seconds_left(_spec(held)) if held is not None else 0.0
        if held is not None and left and not patiently:
            raise LeaseHeldError(self._held_message(held))
        if held is not None and _spec(held).get("holderIdentity"):
            theirs = _spec(held).get("leaseDurationSeconds") or 0
            self._stopped.wait(left + 2 / 3 * max(theirs, self._seconds))
        self._write(held["metadata"]["resourceVersion"] if held else None)
        self._thread.start()

    def refuse_held(self) -> None:
        """Raise an error if another run holds the lease. Nothing is written.

        Raises:
            LeaseHeldError: See `acquire`.
        """
        held = self._read()
        if held is not None and self._is_of_another(held):
            raise LeaseHeldError(self._held_message(held))

    def another_holds_it(self) -> bool:
        """Whether the lease names another run, which has not stopped to renew it. False if it cannot be read."""
        try:
            held = self._read()
        except ClusterError:
            return self.taken_over
        return held is not None and self._is_of_another(held)

    def release(self) -> None:
        """Stop renewing and delete the lease. A lease that another run took over is left alone."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=self._cluster.limits.request)
        while (held := self._read()) is not None and _spec(held).get("holderIdentity") == self._holder:
            try:
                self._cluster.transport.delete(self._path, version=held["metadata"]["resourceVersion"])
            except ApiError as error:  # somebody wrote to it at the same moment
                if not error.conflict:
                    raise
            else:
                return

    def _renew(self) -> None:
        """Renew at every third of the lease duration; give up when a whole duration passed without success."""
        renewed = time.monotonic()
        while not self._stopped.wait(self._seconds / 3):
            try:
                self._write(self._version)
            except LeaseHeldError as error:
                self._cluster.guard.fail(error)
                return
            except ClusterError as error:
                if time.monotonic() - renewed > self._seconds:
                    self._cluster.guard.fail(LeaseHeldError(f"could not renew the lease of this run in time: {error}"))
                    return
            else:
                renewed = time.monotonic()

    def _is_of_another(self, held: dict[str, Any]) -> bool:
        spec = _spec(held)
        return spec.get("holderIdentity") != self._holder and (bool(_seconds_left(spec)) or self.taken_over)

    def _read(self) -> dict[str, Any] | None:
        try:
            return self._cluster.transport.get(self._path)
        except ApiError as error:
            if error.not_found:
                return None
            raise

    def _write(self, version: str | None) -> None:
        now = api_micro_time(datetime.now(UTC))
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": LEASE_NAME} | ({"resourceVersion": version} if version else {}),
            "spec": {
                "holderIdentity": self._holder,
                "leaseDurationSeconds": max(1, round(self._seconds)),
                "renewTime": now,
            },
        }
        transport = self._cluster.transport
        try:
            written = (
                transport.replace(self._path, body)
                if version
                else transport.create(paths.leases(self._cluster.namespace), body)
            )
        except ApiError as error:
            if not (error.not_found or error.conflict):
                raise unless_deleted(self._cluster, error) from error
            held = self._read()
            if held is None:
                raise LeaseHeldError(f"somebody deleted lease {LEASE_NAME} or namespace {self._namespace}") from error
            if _spec(held).get("holderIdentity") != self._holder:
                self.taken_over = self._thread.is_alive() and _names_somebody(_spec(held))
                raise LeaseHeldError(self._held_message(held)) from error
            written = held  # an answer was lost, but the write was not
        self._version = written["metadata"]["resourceVersion"]

    def _held_message(self, held: dict[str, Any]) -> str:
        spec, left = _spec(held), _seconds_left(_spec(held))
        if not _names_somebody(spec):
            return f"somebody changed lease {LEASE_NAME} in namespace {self._namespace}, which this run held"
        return (
            f"another run is using this cluster: {spec.get('holderIdentity')} (last renewal {spec['renewTime']}). "
            f"Wait until it ends; if it was killed, the cluster is free in {left:.0f} s "
            f"(lease {LEASE_NAME} in namespace {self._namespace})"
        )


def _spec(lease: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the spec of a lease; empty if somebody wrote one without it."""
    return lease.get("spec") or {}


def _names_somebody(spec: Mapping[str, Any]) -> bool:
    """Return whether a run has written the lease. Its clock may be off, so its renewal may seem to be long ago."""
    return bool(spec.get("holderIdentity") and spec.get("renewTime"))


def _seconds_left(spec: Mapping[str, Any]) -> float:
    """Seconds until a lease expires, at most its duration; 0 if it has expired or nobody holds it."""
    if not _names_somebody(spec):
        return 0.0
    seconds = spec.get("leaseDurationSeconds") or 0
    free = timestamp(spec["renewTime"]) + timedelta(seconds=seconds)
    return min(seconds, max(0.0, (free - datetime.now(UTC)).total_seconds()))
