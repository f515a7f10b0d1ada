"""Models are read from their sources as the official client has them."""

from __future__ import annotations

import pytest
from kubernetes.client import models

from conformance.sim.apiserver.resources.models import read_model


@pytest.mark.parametrize("name", ["V1PodSpec", "V1Container", "V1DaemonSetSpec", "V1CSIDriver", "V1NodeStatus"])
def test_fields_and_required_ones_are_those_of_the_class(name: str) -> None:
    described, found = getattr(models, name), read_model(name)
    names = described.attribute_map
    assert found.types == {names[key]: text for key, text in described.openapi_types.items()}
    assert found.required == {names[key] for key, info in described.model_fields.items() if info.is_required()}
