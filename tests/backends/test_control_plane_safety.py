"""Trouble with the API server or with an account, on a real control plane: nobody is blamed for it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from conformance.backends.backend import BackendError
from conformance.backends.control_plane import Binaries, ControlPlane
from conformance.cluster import paths
from conformance.cluster.connecting import connect
from conformance.cluster.errors import ApiError
from conformance.cluster.limits import Limits
from conformance.cluster.transport import Transport
from conformance.operations.rights import RIGHTS
from conformance.sim.cluster import SimulatedCluster
from conformance.sim.options import SimOptions
from tests.backends.balancer import Balancer
from tests.cluster.stand import Loop
from tests.fixtures.theirs import ASKED, Theirs, blames_nobody, not_judged, refused

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
OUTAGE = 5.0
"""Real seconds between the end of the API server and its start."""
NODES = SimOptions(gpu_nodes=2, gpus_per_node=1, scale=20)
"""Slow enough that the components outlive an API server that is away."""


class RealTheirs(Theirs):
    """Simulated GPU nodes on a control plane, which may be killed and whose accounts have rights."""

    def server(self) -> int:
        """Process id of kube-apiserver."""
        port = self.hand.server.rpartition(":")[2]
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                if folder.name.isdigit() and f"--secure-port={port}" in folder.joinpath("cmdline").read_text():
                    return int(folder.name)
        raise AssertionError(f"no process serves port {port}")

    def kill_and_start_again(self) -> subprocess.Popen[bytes]:
        process = self.server()
        command = Path(f"/proc/{process}/cmdline").read_text().rstrip("\0").split("\0")
        folder = Path(f"/proc/{process}/cwd").resolve()
        os.kill(process, signal.SIGKILL)
        time.sleep(OUTAGE)
        with (folder / "kube-apiserver-again.log").open("wb") as log:
            return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

    def pause(self) -> None:
        process = self.server()
        os.kill(process, signal.SIGSTOP)
        time.sleep(OUTAGE)
        os.kill(process, signal.SIGCONT)

    def account(self, name: str, *, without: tuple[str, str] = ("", "")) -> None:
        """Make a service account that has every right of the table but one, and give its token to the suite."""
        self.hand.create(ACCOUNTS, {"metadata": {"name": name}})
        rules = [
            {"apiGroups": [one.group], "resources": [one.resource], "verbs": verbs}
            for one in RIGHTS
            if (verbs := [verb for verb in one.verbs if (verb, one.resource) != without])
        ]
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        self.hand.create(f"{rbac}/clusterroles", {"metadata": {"name": name}, "rules": rules})
        body = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
        }
        self.hand.create(f"{rbac}/clusterrolebindings", body)
        token = self.hand.create(f"{ACCOUNTS}/{name}/token", {"spec": {"expirationSeconds": 3600}})["status"]["token"]
        config: dict[str, Any] = yaml.safe_load(self.cluster.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        self.kubeconfig = self._folder / name
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def until_unknown(self) -> None:
        """Wait until the server refuses the token of the suite: it remembers for ten seconds whom it has accepted."""
        attempts = Retrying(retry=retry_if_result(bool), wait=wait_fixed(0.5), stop=stop_after_delay(60))
        with closing(connect(self.kubeconfig, None, Limits())) as suite:
            attempts(lambda: _is_known(suite))


def _is_known(suite: Transport) -> bool:
    try:
        suite.get(paths.nodes())
    except ApiError as error:
        return error.status != HTTPStatus.UNAUTHORIZED
    return True


def _is_there(hand: Transport, path: str) -> bool:
    try:
        hand.get(path)
    except ApiError as error:
        return not error.not_found
    return True


@pytest.fixture(scope="module")
def servers() -> list[subprocess.Popen[bytes]]:
    """API servers that tests started in place of one that they killed."""
    return []


@pytest.fixture(scope="module")
def cluster(
    binaries: Binaries, servers: list[subprocess.Popen[bytes]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimulatedCluster]:
    """Simulated GPU nodes on a control plane of their own, because it is killed."""
    plane = ControlPlane(binaries)
    cluster = SimulatedCluster(
        NODES,
        directory=tmp_path_factory.mktemp("nodes"),
        attach=plane.start().kubeconfig,
        with_scheduler=binaries.scheduler is None,
        with_controllers=binaries.controller_manager is None,
    )
    try:
        cluster.start()
        yield cluster
        cluster.stop()
    finally:
        for server in servers:
            server.kill()
            server.wait()
        with suppress(BackendError):  # its server was killed
            plane.stop()


@pytest.fixture
def theirs(cluster: SimulatedCluster, tmp_path: Path) -> Iterator[RealTheirs]:
    with closing(connect(cluster.kubeconfig, None, Limits())) as hand:
        attempts = Retrying(retry=retry_if_result(bool), wait=wait_fixed(0.2), stop=stop_after_delay(60))
        # The namespace of the test before may still be terminating.
        attempts(lambda: _is_there(hand, paths.namespace("mig-conformance")))
        yield RealTheirs(cluster, hand, tmp_path)


@pytest.fixture
def balancer(cluster: SimulatedCluster, tmp_path: Path) -> Iterator[Balancer]:
    with closing(Loop()) as loop, closing(Balancer(loop, cluster.kubeconfig, tmp_path)) as balancer:
        yield balancer


def test_a_right_that_is_missing_is_named_before_the_run_begins(theirs: RealTheirs) -> None:
    theirs.account("no-patch", without=("patch", "nodes"))

    refused(theirs.run(), "these credentials lack rights: patch nodes (--allow-disruptive needs it)")


def test_an_account_that_is_deleted_is_inconclusive(theirs: RealTheirs) -> None:
    theirs.account("leaves")

    running = theirs.start()
    theirs.until("sim-0", ASKED)
    running.send_signal(signal.SIGSTOP)  # a run may be over by the time at which the server stops to know the token
    theirs.hand.delete(f"{ACCOUNTS}/leaves")
    theirs.until_unknown()
    running.send_signal(signal.SIGCONT)
    ended = theirs.finish(running)

    not_judged(ended, "401")
    theirs.hand.delete(paths.lease("mig-conformance", "mig-conformance"))  # the account could not give it back
    assert theirs.restore().returncode == 0


def test_an_api_server_that_is_paused_is_no_finding(theirs: RealTheirs) -> None:
    running = theirs.start()
    theirs.until("sim-0", ASKED)
    theirs.pause()
    ended = theirs.finish(running)

    blames_nobody(ended)
    assert ended.report["restore"]["outcome"] == "exact", ended.output


def test_an_api_server_that_answers_503_is_no_finding(theirs: RealTheirs, balancer: Balancer) -> None:
    """As a load balancer answers before a server that restarts."""
    theirs.kubeconfig = balancer.kubeconfig

    running = theirs.start()
    theirs.until("sim-0", ASKED)
    balancer.unavailable = True
    time.sleep(OUTAGE)
    balancer.unavailable = False
    ended = theirs.finish(running)

    assert balancer.refused
    blames_nobody(ended)
    assert ended.report["restore"]["outcome"] == "exact", ended.output


def test_two_signals_end_a_run_whose_api_server_is_paused(theirs: RealTheirs) -> None:
    before = theirs.everything()
    limits = f"--timeouts={theirs.limits(unreachable=60.0, lease=6.0)}"
    running = theirs.start("--allow-disruptive", limits)
    theirs.until("sim-0", ASKED)
    process = theirs.server()
    os.kill(process, signal.SIGSTOP)
    try:
        running.send_signal(signal.SIGTERM)
        time.sleep(1)
        begun = time.monotonic()
        running.send_signal(signal.SIGTERM)
        ended = theirs.finish(running)
        took = time.monotonic() - begun
    finally:
        os.kill(process, signal.SIGCONT)

    assert took < 30
    assert (ended.code, ended.report["verdict"]) == (pytest.ExitCode.INTERRUPTED, "inconclusive"), ended.output
    assert ended.report["restore"]["hindered"], ended.output
    applied = theirs.restore(limits)
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert theirs.everything() == before


def test_an_api_server_that_is_killed_and_comes_back_is_no_finding(
    theirs: RealTheirs, servers: list[subprocess.Popen[bytes]]
) -> None:
    running = theirs.start()
    theirs.until("sim-0", ASKED)
    servers.append(theirs.kill_and_start_again())
    ended = theirs.finish(running)

    blames_nobody(ended)
    assert ended.report["restore"]["outcome"] == "exact", ended.output
