"""The files that a control plane reads: keys, certificates, tokens and configurations."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trustme
import yaml

from conformance.backends.control_plane.ports import HOST

_NAME: Final = "control-plane"
REQUESTS_PER_SECOND: Final = 1000
"""What scheduler and controllers may ask; their own defaults, 20 to 50, are for servers that others use too."""

_AUDIT_POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True)
class Files:
    """Paths of the files; all lie in one directory that only this user can read.

    Attributes:
        authority: Certificate of the authority behind the server's certificate.
        certificate: The server's certificate.
        key: Its key.
        accounts_key: Key that signs the tokens of service accounts; its public half is read from it too.
        tokens: Who may come in: a token of `system:masters`.
        kubeconfig: The administrator's way in, by that token.
        scheduler: Configuration of kube-scheduler.
        audit_policy: What an audit log holds: a line for every request that was answered.
        token: The token.
    """

    authority: Path
    certificate: Path
    key: Path
    accounts_key: Path
    tokens: Path
    kubeconfig: Path
    scheduler: Path
    audit_policy: Path
    token: str


def write_files(directory: Path, port: int) -> Files:
    """Write the files for a server that will answer at `port`."""
    files = Files(
        authority=directory / "authority.crt",
        certificate=directory / "apiserver.crt",
        key=directory / "apiserver.key",
        accounts_key=directory / "accounts.key",
        tokens=directory / "tokens.csv",
        kubeconfig=directory / "kubeconfig",
        scheduler=directory / "scheduler.yaml",
        audit_policy=directory / "audit-policy.yaml",
        token=secrets.token_urlsafe(24),
    )
    authority = trustme.CA()
    server = authority.issue_cert(HOST, "localhost", "kubernetes.default.svc")
    authority.cert_pem.write_to_path(files.authority)
    server.cert_chain_pems[0].write_to_path(files.certificate)
    server.private_key_pem.write_to_path(files.key)
    authority.issue_cert("service-accounts").private_key_pem.write_to_path(files.accounts_key)
    files.tokens.write_text(f'{files.token},admin,admin,"system:masters"\n', encoding="utf-8")
    _write(files.kubeconfig, _kubeconfig(files, port))
    _write(files.scheduler, _scheduler(files))
    _write(files.audit_policy, _AUDIT_POLICY)
    return files


def _kubeconfig(files: Files, port: int) -> dict[str, Any]:
    cluster = {"server": f"https://{HOST}:{port}", "certificate-authority": str(files.authority)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _NAME, "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": files.token}}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": "admin"}}],
        "current-context": _NAME,
    }


def _scheduler(files: Files) -> dict[str, Any]:
    """Return the configuration; waiting pods are tried again after a second at the most, since time runs fast here."""
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {
            "kubeconfig": str(files.kubeconfig),
            "qps": REQUESTS_PER_SECOND,
            "burst": REQUESTS_PER_SECOND,
        },
        "podInitialBackoffSeconds": 1,
        "podMaxBackoffSeconds": 1,
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
