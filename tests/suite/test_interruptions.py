"""Commands of the host, by distribution."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cluster.views import node_view
from conformance.suite.interruptions import restart_of_kubelet

CONTROL_PLANE = {"node-role.kubernetes.io/control-plane": "true"}


def node(kubelet: str, labels: dict[str, str]) -> dict[str, Any]:
    meta = {"name": "a", "uid": "u", "resourceVersion": "1", "labels": labels}
    return {"metadata": meta, "status": {"nodeInfo": {"kubeletVersion": kubelet}}}


@pytest.mark.parametrize(
    ("kubelet", "labels", "unit"),
    [
        ("v1.36.3", {}, "kubelet"),
        ("v1.36.3", CONTROL_PLANE, "kubelet"),
        ("v1.33.5-eks-113cf36", {}, "kubelet"),
        ("v1.33.5+rke2r1", {}, "rke2-agent"),
        ("v1.33.5+rke2r1", CONTROL_PLANE, "rke2-server"),
        ("v1.33.5+k3s1", {}, "k3s-agent"),
        ("v1.33.5+k3s1", CONTROL_PLANE, "k3s"),
    ],
)
def test_kubelet_is_restarted_with_the_unit_that_it_is_part_of(kubelet: str, labels: dict[str, str], unit: str) -> None:
    assert restart_of_kubelet(node_view(node(kubelet, labels))) == ("systemctl", "restart", unit)
