from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from conformance.backends.control_plane import Binaries, ControlPlane
from conformance.spec.names import OPERATOR_NAMESPACE
from tests.manifests.kustomize import OVERLAYS, apply, the


@pytest.fixture(scope="session")
def namespaces(binaries: Binaries) -> Iterator[Path]:
    """Kubeconfig of a control plane of its own that has the namespaces of the operator and of the suite.

    Pod Security is enforced in that of the suite, so no run of the suite may meet it by chance.
    """
    plane = ControlPlane(binaries)
    kubeconfig = plane.start().kubeconfig
    operator = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR_NAMESPACE}}
    apply(kubeconfig, yaml.safe_dump_all([operator, the("Namespace", OVERLAYS["read-only"])]))
    yield kubeconfig
    plane.stop()
