"""RTX PRO 6000 boards are matched by their own ids, and a product name that is too long for a label is left out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance.expect.geometry import observed_geometry, wanted_geometry
from conformance.expect.label_checks import check_labels
from conformance.expect.labels import expected_labels
from conformance.expect.readings import read_driver, read_probe
from conformance.sim import mig_parted
from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.settings import Settings
from conformance.sim.faults import Faults
from conformance.sim.feature_discovery.node_labels import labels
from conformance.sim.hardware import NodeHardware
from conformance.sim.nfd import WORKER_LABELS, writable
from conformance.sim.nvml import Nvml
from conformance.spec.mig_parted import parse
from conformance.spec.models import find_board
from conformance.spec.names import GPU_PRODUCT, Strategy
from conformance.suite.targets import gpu_by_label
from tests.expect.made import context, gpu
from tests.probe.running import run_probe
from tests.sim.containers import Log
from tests.sim.partitioned import partitioned

MAX_Q = "rtx-pro-6000-max-q-96gb"
WORKSTATION = "rtx-pro-6000-workstation-96gb"
SERVER = "rtx-pro-6000-96gb"
FILE = (Path(__file__).parent / "data" / "maxq-filter.yaml").read_text(encoding="utf-8")
MATCHED = [(MAX_Q, 4), (WORKSTATION, 4), (SERVER, 4), ("rtx-pro-5000-48gb", 0), ("h100-80gb-hbm3", 0)]


@pytest.mark.parametrize(
    ("board", "device_id"),
    [(MAX_Q, 0x2BB410DE), (WORKSTATION, 0x2BB110DE), (SERVER, 0x2BB510DE), ("rtx-pro-5000-48gb", 0x2BB310DE)],
)
def test_device_ids(board: str, device_id: int) -> None:
    assert find_board(board)[1].device_id == device_id


@pytest.mark.parametrize(("board", "slices"), MATCHED)
def test_expected_geometry(board: str, slices: int) -> None:
    (wanted,) = wanted_geometry([gpu(board=board)], parse(FILE).select("by-id"))

    assert {str(profile): count for profile, count in wanted.instances.items()} == ({"1g.24gb": 4} if slices else {})


@pytest.mark.parametrize(("board", "slices"), MATCHED)
def test_simulated_geometry(board: str, slices: int) -> None:
    hardware = NodeHardware([board] * 2)

    result = mig_parted.run(["apply", "-f", "f", "-c", "by-id"], Nvml(hardware), lambda _: (0, ""), {"f": FILE}.get)

    assert result.rc == 0
    assert [len(each.instances) for each in hardware.gpus] == [slices] * 2


@pytest.mark.parametrize("strategy", [Strategy.SINGLE, Strategy.MIXED])
@pytest.mark.parametrize("board", [MAX_Q, WORKSTATION, SERVER])
@pytest.mark.parametrize(
    "profiles", [None, [], ["1g.24gb"] * 4, ["2g.48gb+gfx"] * 2, ["1g.24gb-me"] * 4, ["2g.48gb-me", "1g.24gb+me.all"]]
)
def test_the_label_that_is_too_long_is_missing_and_the_others_are_there(
    board: str, strategy: Strategy, profiles: list[str] | None
) -> None:
    hardware = partitioned(profiles, board=board)
    published = labels(
        Nvml(hardware),
        Settings(strategy=strategy),
        machine="Workstation",
        timestamp=1_700_000_000,
        faults=Faults(),
        log=Klog(Log().append, lambda: datetime.now(UTC)),
    )
    found, answer = writable(published), run_probe(hardware)
    gpus = read_probe(answer)

    expected = expected_labels(gpus, observed_geometry(gpus), strategy, read_driver(answer), features=WORKER_LABELS)

    check_labels(context(strategy=strategy), found, expected)
    assert set(published) - set(found) == {name for name, value in published.items() if len(value) > 63}


def test_the_product_label_of_a_sliced_max_q_is_too_long() -> None:
    name = find_board(MAX_Q)[1].name
    gpus = [gpu([[14, 0, 3, 1]], board=MAX_Q)]

    (single,), (mixed,) = (
        expected_labels(gpus, observed_geometry(gpus), strategy, None) for strategy in (Strategy.SINGLE, Strategy.MIXED)
    )

    assert GPU_PRODUCT not in single
    assert single["nvidia.com/gpu.count"] == "1"
    assert mixed[GPU_PRODUCT] == name.replace(" ", "-")
    assert "nvidia.com/mig-1g.24gb.product" not in mixed
    assert mixed["nvidia.com/mig-1g.24gb.count"] == "1"


def test_a_node_without_the_label_is_not_expected_to_have_it() -> None:
    """The suite knows a node that it only reads by its labels: without the product label, by the other ones."""
    node = gpu_by_label("")
    gpus = [gpu([[14, 0, 3, 1]], board=MAX_Q)]

    (expected,) = expected_labels([node], observed_geometry(gpus), Strategy.SINGLE, None)

    assert GPU_PRODUCT not in expected
