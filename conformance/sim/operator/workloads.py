"""The workloads that the Helm chart installs: the operator itself, and Node Feature Discovery as a sub-chart.

Source: NVIDIA/gpu-operator v26.7.0, deployments/gpu-operator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from conformance.sim.kube import DAEMON_SETS, DEPLOYMENTS, Object, Resource
from conformance.sim.operator.manifests import load
from conformance.spec.names import HOSTNAME, INSTANCE_TYPE, SIMULATED_INSTANCE_TYPE
from conformance.spec.releases import Release

_NFD_IMAGE: Final = "registry.k8s.io/nfd/node-feature-discovery:v0.19.0"
"""NFD of the newest release, for all of them: nothing depends on its version."""
_FILES: Final = (("gpu-operator", DEPLOYMENTS), ("nfd-master", DEPLOYMENTS), ("nfd-worker", DAEMON_SETS))


def workloads(namespace: str, release: Release, home: Sequence[str]) -> Iterator[tuple[Resource, Object]]:
    """Yield the workloads to create, each with its kind.

    All of them run on simulated nodes only: no other machine of a cluster could run these programs. They tolerate every
    taint, because a cluster need not have a node that nobody cordons or taints.

    Args:
        namespace: Namespace of the operator.
        release: Release of the operator.
        home: Names of the nodes for pods that are there once in the cluster; empty for any.
    """
    images = {"$operator": f"nvcr.io/nvidia/gpu-operator:{release.name}", "$nfd": _NFD_IMAGE}
    for name, resource in _FILES:
        wanted: dict[str, Any] = load(f"installed/{name}.yaml")
        wanted["metadata"]["namespace"] = namespace
        pod = wanted["spec"]["template"]["spec"]
        pod["nodeSelector"] = {INSTANCE_TYPE: SIMULATED_INSTANCE_TYPE}
        pod["tolerations"] = [{"operator": "Exists"}]
        if resource is DEPLOYMENTS and home:
            rule = {"key": HOSTNAME, "operator": "In", "values": list(home)}
            required = {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}
            pod["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
        for container in pod["containers"]:
            container["image"] = images[container["image"]]
            container["imagePullPolicy"] = "IfNotPresent"
        yield resource, wanted


def service_accounts() -> set[str]:
    """Return the names of the service accounts of the workloads."""
    return {load(f"installed/{name}.yaml")["spec"]["template"]["spec"]["serviceAccountName"] for name, _ in _FILES}
