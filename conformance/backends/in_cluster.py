"""A kubeconfig for a run inside the cluster that it tests, made of the pod's service account.

Source: Kubernetes documentation, "Accessing the Kubernetes API from a Pod" (paths and variables are fixed there).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import yaml

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_HOST = "KUBERNETES_SERVICE_HOST"
_PORT = "KUBERNETES_SERVICE_PORT"


def runs_in_cluster(service_account: Path = SERVICE_ACCOUNT) -> bool:
    """Whether this process runs in a pod with a service account."""
    return _HOST in os.environ and (service_account / "token").is_file()


def write_kubeconfig(directory: Path, service_account: Path = SERVICE_ACCOUNT) -> Path:
    """Write a kubeconfig that refers to the token by its file, since kubelet renews it."""
    host, port = os.environ[_HOST], os.environ.get(_PORT, "443")
    address = f"[{host}]" if ":" in host else host
    name = "in-cluster"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": f"https://{address}:{port}",
                    "certificate-authority": str(service_account / "ca.crt"),
                },
            }
        ],
        "users": [{"name": name, "user": {"tokenFile": str(service_account / "token")}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    path = directory / "kubeconfig"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path
