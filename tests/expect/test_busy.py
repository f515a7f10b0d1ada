"""What must hold of a pod on a busy device while its node is asked for another configuration."""

from __future__ import annotations

import pytest

from conformance.expect.busy import Holder, check_holder_unharmed, check_not_booted
from conformance.expect.finding import ConformanceError
from conformance.expect.scheduling import StartedPod
from tests.expect.made import SEVEN, context, gpu

SLICED, WHOLE = gpu(SEVEN), gpu()
DEVICE = SLICED.instances[0].uuid.removeprefix("MIG-")


def pod(phase: str = "Running") -> StartedPod:
    return StartedPod("holder", phase, "sim-0", "")


def test_a_pod_that_runs_on_its_device_is_unharmed() -> None:
    check_holder_unharmed(context(), Holder(DEVICE, pod(), 0), [SLICED])
    check_holder_unharmed(context(), Holder(WHOLE.uuid.removeprefix("GPU-"), pod(), 0), [WHOLE])


@pytest.mark.parametrize(
    ("holder", "gpus", "text"),
    [
        (Holder(DEVICE, pod("Failed"), 0), [SLICED], "Failed"),
        (Holder(DEVICE, pod(), 1), [SLICED], "1 restarts"),
        (Holder(DEVICE, pod(), 0), [WHOLE], "is gone"),
        (Holder("", pod(), 0), [SLICED], "unknown is gone"),
        (Holder(SLICED.uuid.removeprefix("GPU-"), pod(), 0), [SLICED], "is gone"),
    ],
)
def test_a_pod_that_was_harmed_is_named(holder: Holder, gpus: list[object], text: str) -> None:
    with pytest.raises(ConformanceError, match="holder") as error:
        check_holder_unharmed(context(), holder, gpus)  # type: ignore[arg-type] # GPUs
    assert text in str(error.value)


def test_no_boot_is_right_and_any_is_wrong() -> None:
    check_not_booted(context(), [])

    with pytest.raises(ConformanceError, match="boot id b"):
        check_not_booted(context(), ["b"])
