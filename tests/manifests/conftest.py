from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from conformance.spec.names import OPERATOR_NAMESPACE
from tests.manifests.kustomize import OVERLAYS, apply, the


@pytest.fixture(scope="session")
def namespaces(control_plane: Path) -> Path:
    """Kubeconfig of a control plane that has the namespaces of the operator and of the suite."""
    operator = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR_NAMESPACE}}
    apply(control_plane, yaml.safe_dump_all([operator, the("Namespace", OVERLAYS["read-only"])]))
    return control_plane
