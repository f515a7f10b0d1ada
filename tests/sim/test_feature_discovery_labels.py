"""The label set of GPU Feature Discovery (docs/reference/device-plugin.md#labels)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.settings import Settings
from conformance.sim.device_plugin.sharing import Shared, Sharing
from conformance.sim.faults import Faults
from conformance.sim.feature_discovery.labels import LabelError, cleaned
from conformance.sim.feature_discovery.node_labels import labels
from conformance.sim.hardware import NodeHardware
from conformance.sim.nvml import Nvml
from conformance.spec.without_mig import board_without_mig
from tests.sim.containers import Log
from tests.sim.partitioned import MIG_OFF, partition, partitioned

SEVEN = ["1g.10gb"] * 7
BALANCED = ["3g.40gb", "2g.20gb", "1g.10gb", "1g.10gb"]
MODEL = "NVIDIA-H100-80GB-HBM3"


def label(
    hardware: NodeHardware,
    strategy: str,
    sharing: Sharing | None = None,
    faults: Sequence[str] = (),
    last: str | None = None,
    version: str = "",
) -> dict[str, str]:
    """Labels without their prefix."""
    found = labels(
        Nvml(hardware),
        Settings(strategy=strategy, sharing=sharing or Sharing()),
        machine="DGX H100 (rev. 2)",
        timestamp=1_700_000_000,
        faults=Faults(faults),
        log=Klog(Log().append, lambda: datetime.now(UTC)),
        last=last,
        version=version,
    )
    assert all(name.startswith("nvidia.com/") for name in found)
    return {name.removeprefix("nvidia.com/"): value for name, value in found.items()}


def gpu(found: dict[str, str]) -> tuple[str, str, str, str]:
    return found["gpu.product"], found["gpu.count"], found["gpu.replicas"], found["gpu.sharing-strategy"]


def test_what_is_always_there() -> None:
    found = label(partitioned(MIG_OFF), "none")

    assert found["gfd.timestamp"] == "1700000000"
    assert found["gpu.machine"] == "DGX-H100-rev.-2"
    assert found["mig.capable"] == "true"
    assert "mig.strategy" not in found


@pytest.mark.parametrize("gpus", [[BALANCED], [SEVEN, MIG_OFF], [SEVEN, []]])
def test_uneven_geometry_is_invalid_under_single(gpus: Sequence[Sequence[str] | None]) -> None:
    found = label(partitioned(*gpus), "single")

    assert gpu(found) == (f"{MODEL}-MIG-INVALID", "0", "0", "")
    assert (found["gpu.memory"], found["gpu.family"], found["mig.strategy"]) == ("0", "hopper", "single")
    assert not any("slices" in name for name in found)


def test_names_alone_make_a_geometry_valid_though_the_plugin_ends() -> None:
    found = label(partition([("a100-sxm4-80gb", SEVEN), ("h100-80gb-hbm3", SEVEN)]), "single")

    assert gpu(found) == ("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb", "14", "1", "none")


def test_mixed_counts_partitioned_gpus_too() -> None:
    found = label(partitioned(BALANCED, MIG_OFF), "mixed")

    assert gpu(found) == (MODEL, "2", "1", "none")
    assert {name: found[f"mig-{name}.count"] for name in ("3g.40gb", "2g.20gb", "1g.10gb")} == {
        "3g.40gb": "1",
        "2g.20gb": "1",
        "1g.10gb": "2",
    }
    assert found["mig-3g.40gb.product"] == f"{MODEL}-MIG-3g.40gb"


def test_partial_compute_instances_have_labels_of_their_own() -> None:
    found = label(partitioned(["1c.3g.40gb", "3g.40gb"]), "mixed")

    assert (found["mig-1c.3g.40gb.count"], found["mig-1c.3g.40gb.slices.ci"]) == ("3", "1")
    assert found["mig-3g.40gb.count"] == "1"


@pytest.mark.parametrize(("last", "memory"), [("NVIDIA A100-SXM4-80GB", "81920"), ("NVIDIA H100 80GB HBM3", "81559")])
def test_one_of_two_models_wins(last: str, memory: str) -> None:
    found = label(partition([("a100-sxm4-80gb", MIG_OFF), ("h100-80gb-hbm3", MIG_OFF)]), "none", last=last)

    assert gpu(found) == (cleaned(last), "1", "1", "none")
    assert found["gpu.memory"] == memory


def test_sharing_marks_the_product_and_not_the_count() -> None:
    sharing = Sharing("time-slicing", (Shared("nvidia.com/gpu", 4), Shared("nvidia.com/mig-1g.10gb", 2, "x.shared")))

    assert gpu(label(partitioned(SEVEN), "single", sharing)) == (
        f"{MODEL}-MIG-1g.10gb-SHARED",
        "7",
        "4",
        "time-slicing",
    )
    mixed = label(partitioned(SEVEN), "mixed", sharing)
    assert gpu(mixed) == (MODEL, "1", "0", "none")
    assert (mixed["mig-1g.10gb.product"], mixed["mig-1g.10gb.replicas"]) == (f"{MODEL}-MIG-1g.10gb", "2")


def test_mps_is_for_whole_gpus_only() -> None:
    sharing = Sharing("mps", (Shared("nvidia.com/gpu", 2),), one_at_most=True)

    found = label(partitioned(MIG_OFF), "none", sharing)
    assert (found["mps.capable"], found["gpu.sharing-strategy"]) == ("true", "mps")
    with pytest.raises(LabelError, match="MPS sharing is not supported for mig devices"):
        label(partitioned(SEVEN), "single", sharing)


@pytest.mark.parametrize(
    ("board", "family"),
    [
        ("a100-sxm4-40gb", "ampere"),
        ("h200-141gb", "hopper"),
        ("b200-180gb", "blackwell"),
        ("rtx-pro-6000-96gb", "blackwell"),
    ],
)
def test_family_follows_the_compute_capability(board: str, family: str) -> None:
    assert label(partitioned(MIG_OFF, board=board), "none")["gpu.family"] == family


@pytest.mark.parametrize(
    ("board", "version", "family"),
    [
        ("b200-180gb", "v0.17.0", "undefined"),
        ("b200-180gb", "v0.17.2", "blackwell"),
        ("h200-141gb", "v0.17.0", "hopper"),
        ("rtx-pro-6000-96gb", "v0.17.1", "undefined"),
    ],
)
def test_older_programs_do_not_know_newer_families(board: str, version: str, family: str) -> None:
    """From internal/lm/resource.go at these tags; v0.17.4 and v0.20.0 were run on the simulated NVML."""
    assert label(partitioned(MIG_OFF, board=board), "none", version=version)["gpu.family"] == family


@pytest.mark.parametrize(
    ("board", "version", "family"),
    [
        ("tesla-t4", "", "turing"),
        ("tesla-t4", "v0.17.0", "turing"),
        ("l40s", "", "ada-lovelace"),
        ("l40s", "v0.17.1", "ada-lovelace"),
        ("l40s", "v0.17.0", "ampere"),
    ],
)
def test_family_of_gpus_without_mig(board: str, version: str, family: str) -> None:
    """The real v0.20.0 writes `turing` for a Tesla T4."""
    assert label(NodeHardware([board_without_mig(board)]), "none", version=version)["gpu.family"] == family


def test_cleaning_keeps_what_a_label_may_hold() -> None:
    assert cleaned("  NVIDIA  RTX™ 6000 (Ada_1.0) ") == "NVIDIA-RTX-6000-Ada_1.0"


def test_faults() -> None:
    uneven = partitioned(BALANCED)

    assert label(uneven, "mixed", faults=["gfd-wrong-count"])["mig-1g.10gb.count"] == "3"
    assert label(uneven, "mixed", faults=["gfd-wrong-product"])["mig-1g.10gb.product"] == MODEL
    assert gpu(label(uneven, "single", faults=["gfd-hides-invalid"])) == (f"{MODEL}-MIG-3g.40gb", "4", "1", "none")
    assert gpu(label(partitioned([]), "single", faults=["gfd-hides-invalid"])) == (MODEL, "1", "0", "none")


@given(st.lists(st.none() | st.sampled_from([[], SEVEN, BALANCED, ["3g.40gb"] * 2]), min_size=1, max_size=3))
def test_mixed_counts_every_device_once(gpus: list[list[str] | None]) -> None:
    found = label(partitioned(*gpus), "mixed")

    counted = sum(int(value) for name, value in found.items() if name.startswith("mig-") and name.endswith(".count"))
    assert counted == sum(len(profiles or ()) for profiles in gpus)
    assert found["gpu.count"] == str(len(gpus))
