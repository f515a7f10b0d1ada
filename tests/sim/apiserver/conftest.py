"""The API server under test: each test runs on the embedded one, and again on a real one where there is one.

The real one is a control plane of its own, or the one that `MIG_CONFORMANCE_TEST_KUBECONFIG` names. Tests create
objects and clean up behind themselves only in their own namespaces: name no cluster that matters.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubernetes import client

from conformance.sim.apiserver import Settings
from tests.sim.apiserver.stand import PATIENCE_SECONDS, Http, serving

KUBECONFIG_VARIABLE = "MIG_CONFORMANCE_TEST_KUBECONFIG"


@pytest.fixture(scope="session", params=["embedded", "control-plane"])
def server_kubeconfig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Kubeconfig of the server under test."""
    if request.param == "embedded":
        with serving(tmp_path_factory.mktemp("api-server")) as server:
            yield server.kubeconfig
    elif given := os.environ.get(KUBECONFIG_VARIABLE):
        yield Path(given)
    else:
        yield request.getfixturevalue("control_plane")


@pytest.fixture(scope="session")
def http(server_kubeconfig: Path) -> Http:
    """Plain requests to the server under test."""
    return Http(server_kubeconfig)


@pytest.fixture(scope="session")
def api(server_kubeconfig: Path) -> client.ApiClient:
    """The official client of the server under test."""
    return client.ApiClient(Http(server_kubeconfig).settings)


@pytest.fixture
def core(api: client.ApiClient) -> client.CoreV1Api:
    """Core API of the official client."""
    return client.CoreV1Api(api)


@pytest.fixture
def namespace(http: Http) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"t-{uuid.uuid4().hex[:10]}"
    assert http.post("/api/v1/namespaces", {"metadata": {"name": name}}).status == 201
    yield name
    http.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def config_maps(namespace: str) -> str:
    """Path of the ConfigMaps of the test's namespace."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


@pytest.fixture
def pods(namespace: str) -> str:
    """Path of the Pods of the test's namespace."""
    return f"/api/v1/namespaces/{namespace}/pods"


@pytest.fixture
def node(http: Http) -> Iterator[str]:
    """Path of a Node of the test's own, with two conditions, a label and capacity for eight GPUs."""
    name = f"n-{uuid.uuid4().hex[:10]}"
    path = f"/api/v1/nodes/{name}"
    conditions = [
        {"type": kind, "status": status, "reason": "r", "message": "m"}
        for kind, status in (("Ready", "True"), ("DiskPressure", "False"))
    ]
    status = {"capacity": {"cpu": "8", "nvidia.com/gpu": "8"}, "conditions": conditions}
    body = {"metadata": {"name": name, "labels": {"a": "b"}}, "spec": {}, "status": status}
    assert http.post("/api/v1/nodes", body).status == 201
    yield path
    http.delete(path)


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until something that the server does by itself has happened."""

    def wait(happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not happened():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)

    return wait


@pytest.fixture
def kubectl(server_kubeconfig: Path, tmp_path: Path) -> Callable[..., str]:
    """Run kubectl, which must succeed unless told otherwise, and return what it prints."""
    binary = os.environ.get("KUBECTL") or shutil.which("kubectl") or str(Path(sys.executable).parent / "kubectl")

    def run(*arguments: str, stdin: str | None = None, succeeds: bool = True) -> str:
        command = [binary, "--kubeconfig", str(server_kubeconfig), "--cache-dir", str(tmp_path), *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=PATIENCE_SECONDS * 2, check=False
        )
        assert (done.returncode == 0) is succeeds, done.stderr
        return done.stdout if succeeds else done.stderr

    return run


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Http]:
    """An embedded server that remembers five changes of each resource and ends every watch after two seconds."""
    with serving(tmp_path, Settings(history=5, longest_watch_seconds=2, bookmark_seconds=0.3)) as server:
        yield Http(server.kubeconfig)
