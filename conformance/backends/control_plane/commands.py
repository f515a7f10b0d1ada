"""How the programs of a control plane are called.

Flags are those that envtest and kwok give to all releases from 1.31 on (docs/reference/platform.md#control-plane),
those for ports that are reserved (see `ports`), and no limit to how fast controllers may ask.
"""

from __future__ import annotations

from pathlib import Path

from conformance.backends.control_plane.files import REQUESTS_PER_SECOND, Files
from conformance.backends.control_plane.ports import HOST


def etcd(program: Path, client_port: int, peer_port: int) -> list[str]:
    """Return the command of etcd; it writes below its working directory, and in no hurry."""
    client = f"http://{HOST}:{client_port}"
    peer = f"http://{HOST}:{peer_port}"
    return [
        str(program),
        "--data-dir=etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--socket-reuse-port",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(program: Path, files: Files, ports: tuple[int, int], *, with_controllers: bool) -> list[str]:
    """Return the command of kube-apiserver. It trusts every kubelet: simulated ones have certificates of their own.

    Args:
        program: The program.
        files: What it reads.
        ports: Its own and that of etcd.
        with_controllers: Whether there is a kube-controller-manager. Admission leaves it things to do that nobody else
            does: to take the taint off a new node once it is ready.
    """
    port, etcd_port = ports
    left_out = ["ServiceAccount"] if with_controllers else ["ServiceAccount", "TaintNodesByCondition"]
    return [
        str(program),
        f"--etcd-servers=http://{HOST}:{etcd_port}",
        f"--bind-address={HOST}",
        f"--advertise-address={HOST}",
        "--endpoint-reconciler-type=none",
        f"--secure-port={port}",
        "--permit-port-sharing",
        f"--tls-cert-file={files.certificate}",
        f"--tls-private-key-file={files.key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={files.accounts_key}",
        f"--service-account-signing-key-file={files.accounts_key}",
        f"--token-auth-file={files.tokens}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--allow-privileged=true",
        f"--disable-admission-plugins={','.join(left_out)}",
    ]


def audit(files: Files, log: Path) -> list[str]:
    """Return what makes kube-apiserver write a log of all requests."""
    return [f"--audit-policy-file={files.audit_policy}", f"--audit-log-path={log}", "--audit-log-mode=blocking"]


def scheduler(program: Path, files: Files) -> list[str]:
    """Return the command of kube-scheduler."""
    return [str(program), f"--config={files.scheduler}", "--secure-port=0"]


def controller_manager(program: Path, files: Files) -> list[str]:
    """Return the command of kube-controller-manager."""
    return [
        str(program),
        f"--kubeconfig={files.kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        f"--service-account-private-key-file={files.accounts_key}",
        f"--root-ca-file={files.authority}",
        f"--kube-api-qps={REQUESTS_PER_SECOND}",
        f"--kube-api-burst={REQUESTS_PER_SECOND}",
    ]
