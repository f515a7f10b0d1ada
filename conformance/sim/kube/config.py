"""Read address, TLS context and credentials from a kubeconfig, with the rules of the official client."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kubernetes import config
from kubernetes.client import Configuration

Call = Callable[[str, str, Mapping[str, str], Mapping[str, str], bytes], Awaitable[tuple[int, bytes]]]


@dataclass(frozen=True)
class Connection:
    """Connection settings of one API server.

    Attributes:
        url: Address without a trailing slash.
        tls: Context with the server's authority and the client certificate; None for plain HTTP.
        headers: Credentials; empty where the client certificate is all there is.
        call: Answers a request without a network: method, path, query, headers and body to status and body; None
            where the server is in another process. Only used for single objects and lists, never for watches.
    """

    url: str
    tls: ssl.SSLContext | None
    headers: dict[str, str]
    call: Call | None = None


def load_connection(kubeconfig: Path, context: str | None = None) -> Connection:
    """Read a kubeconfig; `context` None means the current one.

    Raises:
        kubernetes.config.ConfigException: The file is missing, invalid, or has no such context.
    """
    loaded = Configuration()
    config.load_kube_config(  # type: ignore[no-untyped-call]
        str(kubeconfig), context=context, client_configuration=loaded, persist_config=False
    )
    token = loaded.get_api_key_with_prefix("BearerToken", alias="authorization")
    headers = {"Authorization": token} if token else {}
    return Connection(loaded.host.rstrip("/"), _tls_context(loaded), headers)


def _tls_context(loaded: Configuration) -> ssl.SSLContext | None:
    if not loaded.host.startswith("https:"):
        return None
    tls = ssl.create_default_context(cafile=loaded.ssl_ca_cert)
    if not loaded.verify_ssl:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if loaded.cert_file:
        tls.load_cert_chain(loaded.cert_file, loaded.key_file)
    return tls
