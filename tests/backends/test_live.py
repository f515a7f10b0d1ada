"""The live backend attaches and never makes or removes anything."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from conformance.backends.backend import READ_ONLY, BackendError, Permissions
from conformance.backends.in_cluster import runs_in_cluster, write_kubeconfig
from conformance.backends.live import LiveBackend
from conformance.cluster.limits import Limits
from tests.cluster.stand import Loop, Stand


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    loop = Loop()
    stand = Stand(loop, tmp_path_factory.mktemp("stand"))
    yield stand
    stand.stop()
    loop.close()


def test_it_attaches_read_only_unless_told_otherwise(stand: Stand) -> None:
    backend = LiveBackend(stand.kubeconfig, None, READ_ONLY)
    attachment = backend.start()
    backend.stop()

    assert (attachment.kubeconfig, attachment.context, attachment.clock) == (stand.kubeconfig, None, None)
    assert attachment.permissions == Permissions(disruptive=False, cluster_wide=False, reboot=False, execute=False)
    assert stand.kubeconfig.exists()


def test_an_unreachable_cluster_is_refused_in_time(tmp_path: Path) -> None:
    content = {
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [], "contexts": [{"name": "x", "context": {"cluster": "x"}}],
    }  # fmt: skip
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(content))
    begun = time.monotonic()

    with pytest.raises(BackendError, match=re.escape("https://127.0.0.1:1 does not answer")):
        LiveBackend(path, None, READ_ONLY).start()
    assert time.monotonic() - begun < Limits().connect + 1


def test_a_context_that_does_not_exist(stand: Stand) -> None:
    with pytest.raises(BackendError, match="it has the contexts: mig-sim"):
        LiveBackend(stand.kubeconfig, "other", READ_ONLY).start()


def test_without_a_kubeconfig_it_takes_what_kubectl_would(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(stand.kubeconfig))
    assert LiveBackend(None, None, READ_ONLY).start().kubeconfig == stand.kubeconfig


def test_without_any_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(BackendError, match=r"no kubeconfig at .*config; name one with --kubeconfig"):
        LiveBackend(None, None, READ_ONLY).start()


def test_in_a_pod_the_service_account_is_the_way_in(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is referred to, not copied: kubelet renews the file."""
    given = yaml.safe_load(stand.kubeconfig.read_text())
    authority = base64.b64decode(given["clusters"][0]["cluster"]["certificate-authority-data"])
    (tmp_path / "token").write_text(given["users"][0]["user"]["token"])
    (tmp_path / "ca.crt").write_bytes(authority)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", stand.server.url.rpartition(":")[2])

    assert runs_in_cluster(tmp_path)
    written = write_kubeconfig(tmp_path, tmp_path)

    assert LiveBackend(written, None, READ_ONLY).start().kubeconfig == written
    assert "tokenFile" in written.read_text()
