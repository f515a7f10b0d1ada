"""From a kubeconfig to a connection with its API server."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Final
from urllib.parse import urlparse

import urllib3
import yaml
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config

from conformance.cluster.errors import ClusterError
from conformance.cluster.limits import Limits
from conformance.cluster.transport import CONNECTIONS, WATCHES, Transport

_NO_KUBECONFIG: Final = (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError)
"""What the library raises where a file is no YAML, or has something else where a kubeconfig has a list or a mapping."""


def connect(kubeconfig: Path, context: str | None, limits: Limits) -> Transport:
    """Read a kubeconfig and check that its API server answers. The file is never written.

    Args:
        kubeconfig: Path of the file, or several paths separated by `:` (`;` on Windows), as in `$KUBECONFIG`.
        context: Context to use; None means the current context of the file.
        limits: Time limits.

    Raises:
        ClusterError: The file does not exist, is a folder or is not a kubeconfig, or it has no such context (the
            message lists the contexts it has).
        UnreachableError: The server did not answer within `limits.connect` real seconds.
        ApiError: The server rejected the credentials.
    """
    if Path(kubeconfig).is_dir():
        raise ClusterError(f"{kubeconfig} is a folder, not a kubeconfig; name a file with --kubeconfig")
    if not any(Path(part).is_file() for part in str(kubeconfig).split(os.pathsep)):
        raise ClusterError(f"no kubeconfig at {kubeconfig}; name one with --kubeconfig")
    configuration = kubernetes_client.Configuration()
    try:
        kubernetes_config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(kubeconfig), context=context, client_configuration=configuration, persist_config=False
        )
    except kubernetes_config.ConfigException as error:
        known = _known_contexts(kubeconfig)
        listed = f"; it has the contexts: {', '.join(sorted(known))}" if known else ""
        wrong = f" has no context {context}" if context is not None and context not in known else f": {error}"
        raise ClusterError(f"{kubeconfig}{wrong}{listed}") from error
    except _NO_KUBECONFIG as error:
        unparsed = isinstance(error, yaml.YAMLError)
        said = " ".join(str(error).split()) if unparsed else "it lacks the lists and mappings of one"
        raise ClusterError(f"{kubeconfig} is no kubeconfig, name another one with --kubeconfig: {said}") from error
    configuration.retries = urllib3.Retry(total=0, redirect=3)
    configuration.keep_alive = True
    configuration.connection_pool_maxsize = CONNECTIONS + WATCHES
    if _is_loopback(configuration.host):
        configuration.proxy = None
    transport = Transport(configuration, limits)
    transport.probe()
    return transport


def _known_contexts(kubeconfig: Path) -> list[str]:
    """Return the names of the contexts of a kubeconfig; empty if they cannot be read."""
    try:
        contexts, _ = kubernetes_config.list_kube_config_contexts(  # type: ignore[no-untyped-call]
            config_file=str(kubeconfig)
        )
    except (kubernetes_config.ConfigException, *_NO_KUBECONFIG):
        return []
    return [context["name"] for context in contexts]


def _is_loopback(host: str) -> bool:
    name = urlparse(host).hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
