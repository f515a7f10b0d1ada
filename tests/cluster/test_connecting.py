"""Every way in which a connection can fail ends soon, with one clear error."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from kubernetes import client as kubernetes_client

from conformance.cluster import paths
from conformance.cluster.connecting import connect
from conformance.cluster.errors import ApiError, ClusterError, UnreachableError
from conformance.cluster.transport import Transport
from conformance.operations.mig_cluster import MigCluster
from tests.cluster.stand import QUICK, Stand


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def kubeconfig(directory: Path, server: str) -> Path:
    content = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("here", "there")],
    }  # fmt: skip
    path = directory / "config"
    path.write_text(yaml.safe_dump(content))
    return path


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"no kubeconfig at .*none; name one with --kubeconfig"):
        connect(tmp_path / "none", None, QUICK)


@pytest.mark.parametrize(
    "content",
    [
        "hello",
        "5",
        "- 1",
        "contexts: [",
        "\t- tab",
        "{{ unfilled }}",
        "contexts: 5",
        "current-context: a\nclusters: []\nusers: []\ncontexts: [{name: a, context: 5}]",
    ],
)
def test_no_kubeconfig(content: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(ClusterError, match=r"config is no kubeconfig, name another one with --kubeconfig: [^\n]+\Z"):
        connect(path, None, QUICK)


def test_no_such_context(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "https://127.0.0.1:1")
    with pytest.raises(ClusterError, match=r"nowhere.*it has the contexts: here, there"):
        connect(path, "nowhere", QUICK)


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(
        UnreachableError, match=r"https://127.0.0.1:1 does not answer: Failed to establish .*check the kubeconfig"
    ):
        connect(kubeconfig(tmp_path, "https://127.0.0.1:1"), None, QUICK)


def test_somebody_listens_and_keeps_silent(tmp_path: Path, silent_port: int) -> None:
    begun = time.monotonic()
    with pytest.raises(UnreachableError, match="does not answer"):
        connect(kubeconfig(tmp_path, f"https://127.0.0.1:{silent_port}"), None, QUICK)
    assert time.monotonic() - begun < QUICK.connect + 1


def test_who_gives_up_waits_for_no_connection(silent_port: int) -> None:
    """The kernel accepts it, but nobody shakes hands: such a request lasted as long as a whole one may."""
    configuration = kubernetes_client.Configuration(host=f"https://127.0.0.1:{silent_port}")
    configuration.retries = False
    limits = replace(QUICK, connect=1.0, request=60, unreachable=60)
    with closing(Transport(configuration, limits)) as transport:
        threading.Timer(0.2, transport.patience.end).start()
        begun = time.monotonic()
        with pytest.raises(UnreachableError):
            transport.get(paths.nodes())
        assert time.monotonic() - begun < limits.request / 2


def test_a_certificate_of_somebody_else(stand: Stand, tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="certificate"):
        connect(kubeconfig(tmp_path, stand.server.url), None, QUICK)


def test_wrong_credentials(stand: Stand, tmp_path: Path) -> None:
    content = yaml.safe_load(stand.kubeconfig.read_text())
    content["users"][0]["user"]["token"] = "wrong"
    path = tmp_path / "wrong"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises((ApiError, ClusterError), match="401"):
        MigCluster.connect(path, limits=QUICK)


def test_several_files_as_in_the_environment_variable(stand: Stand, tmp_path: Path) -> None:
    connect(Path(f"{tmp_path / 'none'}:{stand.kubeconfig}"), None, QUICK).close()


def test_a_proxy_of_the_environment_is_not_used_for_loopback(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    connect(stand.kubeconfig, None, QUICK).close()


def test_an_exec_plugin_brings_the_token(stand: Stand, tmp_path: Path) -> None:
    content = yaml.safe_load(stand.kubeconfig.read_text())
    token = content["users"][0]["user"].pop("token")
    version = "client.authentication.k8s.io/v1"
    answer = f'{{"apiVersion": "{version}", "kind": "ExecCredential", "status": {{"token": "{token}"}}}}'
    content["users"][0]["user"]["exec"] = {
        "apiVersion": version, "command": "echo", "args": [answer], "interactiveMode": "Never",
    }  # fmt: skip
    path = tmp_path / "exec"
    path.write_text(yaml.safe_dump(content))

    transport = connect(path, None, QUICK)

    assert transport.get(paths.nodes())["items"] == []
    transport.close()


def test_the_kubeconfig_is_left_alone(stand: Stand) -> None:
    before = stand.kubeconfig.read_bytes()
    MigCluster.connect(stand.kubeconfig, limits=QUICK).close()
    assert stand.kubeconfig.read_bytes() == before


def test_a_refusal_carries_status_reason_and_text(stand: Stand) -> None:
    with pytest.raises(ApiError, match=r"404 NotFound: nodes \"none\" not found") as raised:
        stand.hand.get(paths.node("none"))
    assert (raised.value.status, raised.value.reason) == (404, "NotFound")


def test_deleting_what_is_gone_is_fine(stand: Stand) -> None:
    stand.hand.delete(paths.node("none"))
