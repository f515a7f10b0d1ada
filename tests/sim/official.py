"""Typed doors to those parts of the official client that have no types."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kubernetes import client, config, watch
from kubernetes.dynamic import DynamicClient

# The package calls itself typed, but only the generated `kubernetes.client` is.
_config: Any = config
_watch: Any = watch
_dynamic_client: Any = DynamicClient


def kubectl(kubeconfig: Path, *arguments: str, stdin: str | None = None) -> str:
    """Run kubectl, which must succeed, and return what it prints."""
    binary = os.environ.get("KUBECTL") or shutil.which("kubectl") or str(Path(sys.executable).parent / "kubectl")
    command = [binary, f"--kubeconfig={kubeconfig}", f"--cache-dir={kubeconfig.parent}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def settings_of(kubeconfig: Path) -> client.Configuration:
    """Return the address and identity that a kubeconfig names."""
    settings = client.Configuration()
    _config.load_kube_config(str(kubeconfig), client_configuration=settings)
    return settings


def api_client(kubeconfig: Path) -> client.ApiClient:
    """Return a client of the cluster that a kubeconfig names."""
    return client.ApiClient(settings_of(kubeconfig))


def dynamic_client(api: client.ApiClient, cache: Path) -> Any:
    """Return a client that discovers what the server has, with its own file to remember it in."""
    return _dynamic_client(api, cache_file=str(cache))


def events(listing: Callable[..., Any], *args: str, **where: Any) -> Iterator[dict[str, Any]]:
    """Watch what a listing call of the client lists; `object` of each event is a model of the client."""
    stream: Iterator[dict[str, Any]] = _watch.Watch().stream(listing, *args, **where)
    return stream
