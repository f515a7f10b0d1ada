"""No right is granted that nobody uses: a full run on the simulated cluster, with all its requests in an audit log."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from conformance.cluster.transport import USER_AGENT
from conformance.operations.rights import RIGHTS, Level
from conformance.sim.cluster import SimulatedCluster
from conformance.sim.options import SimOptions
from tests.manifests.kustomize import OVERLAYS, apply, the
from tools.roles import NAMESPACES

ROOT: Final = Path(__file__).parents[2]
SECONDS: Final = 600
SHORT: Final = {
    "stays_pending": 1,
    "edit_ignored": 2,
    "idle": 1,
    "crash_again": 1,
    "stuck": 2,
    "capacity_grace": 10,
    "patience": 1,
}
"""Limits of waits that something stays as it is: real seconds, in which hundreds of the cluster's pass."""
VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
PATH: Final = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<subresource>[^/]+))?)?"
)


class Used(NamedTuple):
    """One right, as a role grants it."""

    namespace: str
    group: str
    resource: str
    verb: str


SELDOM: Final[Mapping[Used, str]] = {
    Used("mig-conformance", "", "pods", "get"): "an answer was lost",
    Used("mig-conformance", "", "configmaps", "get"): "an answer was lost",
    Used("mig-conformance", "", "configmaps", "patch"): "an earlier run left another version of the probe",
    Used("gpu-operator", "", "pods/exec", "create"): "the server is v1.35 or newer",
}
"""Rights that a run without trouble does not use, and when they are."""


def rights(lines: Iterable[str]) -> Iterator[Used]:
    """The rights that requests of the suite needed."""
    for text in lines:
        line = json.loads(text)
        found = PATH.fullmatch(line["path"])
        if found is None or not (line["user_agent"] == USER_AGENT or line["path"].endswith("/exec")):
            continue
        part = found.groupdict(default="")
        resource = "/".join(filter(None, (part["resource"], part["subresource"])))
        reads = "get" if part["name"] else "watch" if line["query"].get("watch") else "list"
        named = part["name"] if resource == "namespaces" and part["name"] in NAMESPACES.values() else ""
        yield Used(part["namespace"] or named, part["group"], resource, VERBS.get(line["method"], reads))


def test_a_full_run_uses_every_right(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    options = SimOptions(gpu_nodes=1, gpus_per_node=2, audit_log=log)
    narrowed = (f"--configuration={name}" for name in ("all-disabled", "all-1g.10gb", "all-balanced"))
    allowed = (level for level in (Level.DISRUPTIVE, Level.CLUSTER_WIDE, Level.EXEC))
    with SimulatedCluster(options, directory=tmp_path) as cluster:
        apply(cluster.kubeconfig, yaml.safe_dump(the("Namespace", OVERLAYS["read-only"])))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", f"--report-dir={tmp_path}/reports"]
        limits = tmp_path / "limits.yaml"
        limits.write_text(yaml.safe_dump(SHORT), encoding="utf-8")
        live = ["--cluster=live", f"--kubeconfig={cluster.kubeconfig}", "--require=partial", f"--timeouts={limits}"]
        run = subprocess.run(
            [*command, *live, *narrowed, *allowed],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert run.returncode == 0, run.stdout
    used = set(rights(log.read_text(encoding="utf-8").splitlines()))
    granted = {
        Used(NAMESPACES[one.place], one.group, one.resource, verb)
        for one in RIGHTS
        if one.level not in (Level.PUBLISH, Level.UNPUBLISH) and not one.makes_namespace
        for verb in one.verbs
    }

    assert granted - used == set(SELDOM)
    assert {one for one in used - granted if one.group != "authorization.k8s.io"} == set()


def test_the_rights_of_requests() -> None:
    def of(method: str, path: str, **query: str) -> Used:
        line = {"method": method, "path": path, "query": query, "user_agent": USER_AGENT}
        (found,) = rights([json.dumps(line)])
        return found

    assert of("GET", "/api/v1/nodes", limit="500") == Used("", "", "nodes", "list")
    assert of("GET", "/api/v1/nodes", watch="1") == Used("", "", "nodes", "watch")
    assert of("GET", "/api/v1/nodes/a") == Used("", "", "nodes", "get")
    assert of("GET", "/api/v1/namespaces/kube-system") == Used("", "", "namespaces", "get")
    assert of("GET", "/api/v1/namespaces/mig-conformance") == Used("mig-conformance", "", "namespaces", "get")
    assert of("GET", "/api/v1/namespaces/n/pods/p/log") == Used("n", "", "pods/log", "get")
    assert of("PUT", "/apis/coordination.k8s.io/v1/namespaces/n/leases/l") == Used(
        "n", "coordination.k8s.io", "leases", "update"
    )
    assert list(rights([json.dumps({"path": "/version", "user_agent": USER_AGENT})])) == []
