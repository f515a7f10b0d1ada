"""GPUs with MIG switched on, of every model that the spec knows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conformance.sim.hardware import Gpu, NodeHardware
from conformance.spec.models import load_models


@pytest.fixture
def gpu_of() -> Callable[[str], Gpu]:
    """A fresh GPU of a model of the spec's table, MIG on."""

    def build(model_name: str) -> Gpu:
        model = load_models()[model_name]
        gpu = NodeHardware([(model, model.boards[0])]).gpus[0]
        gpu.mode_current = gpu.mode_pending = True
        return gpu

    return build


@pytest.fixture
def h100(gpu_of: Callable[[str], Gpu]) -> Gpu:
    return gpu_of("h100-sxm-80gb")
