"""D-20, D-27: what a process on MIG devices can do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conformance.expect.finding import ConformanceError
from conformance.expect.slice_use import SliceUse, check_bounded, check_no_peers, check_unreachable
from tests.expect.made import SEVEN, context, gpu

GPU = gpu(SEVEN)
OWN, OTHER = GPU.instances[0], GPU.instances[1]
DEVICE = {
    "uuid": OWN.uuid,
    "memory_mib": (OWN.memory_mib or 0) - 100,
    "multiprocessors": OWN.multiprocessors,
    "too_much": 2,
    "fits": 0,
}


def use(device: dict[str, Any] | None = None, **answer: Any) -> SliceUse:
    content = {"devices": [{**DEVICE, **(device or {})}], "peers": [], "reached": [OWN.uuid], **answer}
    return SliceUse("tester", content, "said", (OTHER.uuid,), (GPU,))


def test_a_process_that_stays_in_its_slice_is_right() -> None:
    check_bounded(context(), use())
    check_unreachable(context(), use())
    check_no_peers(context(), use())


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ({"too_much": 0}, "more memory than it has gives error 0"),
        ({"too_much": 999}, "more memory than it has gives error 999"),
        ({"fits": 2}, "16 MiB give error 2"),
        ({"memory_mib": GPU.memory_mib}, r"but 1g\.10gb has"),
        ({"memory_mib": 1000}, r"1000 MiB, but 1g\.10gb has"),
        ({"multiprocessors": 132}, r"132 SMs, but 1g\.10gb has"),
        ({"uuid": "MIG-other"}, "MIG-other: no MIG device of the node"),
    ],
)
def test_a_device_that_is_not_the_slice_is_found(device: dict[str, Any], message: str) -> None:
    with pytest.raises(ConformanceError, match=message):
        check_bounded(context(), use(device))


def test_a_reached_neighbour_is_named() -> None:
    with pytest.raises(ConformanceError, match=f"reached {OTHER.uuid}"):
        check_unreachable(context(), use(reached=[OTHER.uuid]))


def test_a_pair_that_shares_no_gpu_proves_nothing() -> None:
    with pytest.raises(ConformanceError, match="no device of another pod on the GPU"):
        check_unreachable(context(), replace(use(), asked=("MIG-elsewhere",)))


def test_access_between_slices_is_found() -> None:
    two = [DEVICE, {**DEVICE, "uuid": OTHER.uuid}]

    with pytest.raises(ConformanceError, match=f"{OWN.uuid} can access {OTHER.uuid}"):
        check_no_peers(context(), use(devices=two, peers=[[0, 1]]))


def test_a_process_that_found_nothing_is_a_finding_with_what_it_said() -> None:
    nothing = SliceUse("tester", {}, "cuInit failed with error 100", (OTHER.uuid,), (GPU,))

    for check in (check_bounded, check_no_peers):
        with pytest.raises(ConformanceError, match="cuInit failed with error 100"):
            check(context(), nothing)
