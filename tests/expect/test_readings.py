"""Parsing of the probe's answer and of the output of `nvidia-smi -L`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.expect.observed import (
    DeviceList,
    Driver,
    ListedDevice,
    ListedGpu,
    ObservedGpuInstance,
    ObservedInstance,
    ObservedProfile,
)
from conformance.expect.readings import UnreadableError, find_probe_answer, read_device_list, read_driver, read_probe
from conformance.spec.models import Engines
from conformance.spec.profile import Profile

UUID = "0d53b9a5-0f5a-5a3a-8d0f-2f3d1f6f7a11"
LISTING = f"""GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-{UUID})
  MIG 3g.40gb     Device  0: (UUID: MIG-{UUID})
  MIG 1g.24gb+me.all Device 10: (UUID: MIG-GPU-{UUID}/7/0)
GPU 1: NVIDIA A30 (UUID: GPU-{UUID})
"""
INSTANCE = {
    "profile": "1g.10gb",
    "gi": 9,
    "ci": 0,
    "start": 2,
    "size": 1,
    "uuid": "MIG-1",
    "memory_mib": 9984,
    "multiprocessors": 16,
    "slices_gi": 1,
    "slices_ci": 1,
    "engines": {"copy": 1, "decoder": 1, "encoder": 0, "jpeg": 1, "ofa": 0},
}

PROFILE = {
    "name": "1g.10gb",
    "max_instances": 7,
    "memory_mib": 9984,
    "multiprocessors": 16,
    "engines": {"copy": 1, "decoder": 1, "encoder": 0, "jpeg": 1, "ofa": 0},
    "placements": [[0, 1], [1, 1]],
}


def answer(**changes: Any) -> dict[str, Any]:
    gpu = {
        "index": 0,
        "name": "NVIDIA H100 80GB HBM3",
        "uuid": "GPU-1",
        "device_id": 0x233010DE,
        "subsystem_id": 0x16C110DE,
        "memory_mib": 81559,
        "capability": [9, 0],
        "mig": {"capable": True, "current": 1, "pending": 0},
        "profiles": [PROFILE],
        "gpu_instances": [{"profile": "1g.10gb", "id": 9, "start": 2, "size": 1}],
        "instances": [INSTANCE],
    }
    return {"probe": 1, "driver": "580.159.04", "cuda": "13.0", "gpus": [gpu | changes]}


def test_device_list() -> None:
    assert read_device_list(LISTING).gpus == (
        ListedGpu(
            0,
            "NVIDIA H100 80GB HBM3",
            f"GPU-{UUID}",
            (
                ListedDevice("3g.40gb", 0, f"MIG-{UUID}"),
                ListedDevice("1g.24gb+me.all", 10, f"MIG-GPU-{UUID}/7/0"),
            ),
        ),
        ListedGpu(1, "NVIDIA A30", f"GPU-{UUID}"),
    )


@pytest.mark.parametrize("text", ["", "\n", "No devices found.\n"])
def test_no_devices(text: str) -> None:
    assert read_device_list(text) == DeviceList(())


REMARKS = [
    "WARNING: infoROM is corrupted at gpu 0000:3B:00.0",
    "Unable to determine the device handle for GPU0000:5E:00.0: Unknown Error",
    "ERROR: ld.so: object '/opt/x.so' from LD_PRELOAD cannot be preloaded (cannot open shared object file): ignored.",
    "nvidia-smi: /lib/libnvidia-ml.so.1: no version information available (required by nvidia-smi)",
    "Warning: MIG is enabled on a GPU",
]
OTHER_LINES = st.sampled_from(REMARKS) | st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1
).filter(lambda text: text.strip() and not re.match(r"GPU \d+:|\s*MIG \S+\s+Device\b", text))


@given(st.lists(st.tuples(st.integers(0, 4), OTHER_LINES), max_size=4), st.sampled_from(["\n", "\r\n"]))
def test_other_lines_are_remarks_wherever_they_stand(others: list[tuple[int, str]], ending: str) -> None:
    lines: list[tuple[int, str]] = [(number + 1, line) for number, line in enumerate(LISTING.splitlines())]
    mixed = [line for _, line in sorted([*lines, *others], key=lambda item: item[0])]

    found = read_device_list(ending.join(mixed))

    assert found.gpus == read_device_list(LISTING).gpus
    assert sorted(found.remarks) == sorted(line.strip() for _, line in others if line.strip() != "No devices found.")


def test_colours_are_no_part_of_a_line() -> None:
    assert read_device_list(f"\x1b[33mWARNING: x\x1b[0m\n\x1b[1m{LISTING}\x1b[0m") == DeviceList(
        read_device_list(LISTING).gpus, ("WARNING: x",)
    )


def test_a_warning_without_any_gpu() -> None:
    assert read_device_list("WARNING: x\nNo devices found.\n") == DeviceList((), ("WARNING: x",))


@pytest.mark.parametrize(
    "text",
    [
        "Failed to initialize NVML",
        "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 570.86\n",
        f"  MIG 1g.10gb Device 0: (UUID: MIG-{UUID})",
        f"GPU 9: NVIDIA A30\n{LISTING}",
        f"{LISTING}GPU 2: NVIDIA A30\n",
        f"{LISTING}GPU 2: NVIDIA A30 (UUID: GPU-{UUID}) (lost)\n",
        f"{LISTING}  MIG 1g.10gb Device 3: (UUID: unknown)\n",
    ],
)
def test_other_output_is_rejected(text: str) -> None:
    with pytest.raises(UnreadableError, match="unexpected line in the output of nvidia-smi -L"):
        read_device_list(text)


def test_the_answer_of_the_probe_is_found_among_other_lines() -> None:
    text = f"{REMARKS[2]}\n{json.dumps(answer())}\n\n{REMARKS[0]}\n"

    content, remarks = find_probe_answer(text)

    assert content == answer()
    assert remarks == (REMARKS[2], REMARKS[0])


@pytest.mark.parametrize("text", ["", "[]", "{}", "Traceback", json.dumps(answer()) + "\n" + json.dumps(answer())])
def test_what_is_no_answer_of_the_probe(text: str) -> None:
    with pytest.raises(UnreadableError, match="lines are answers of the probe, instead of 1"):
        find_probe_answer(text)


def test_probe() -> None:
    (gpu,) = read_probe(answer())

    assert (gpu.device_id, gpu.capability, gpu.mode, gpu.pending_mode) == (0x233010DE, (9, 0), True, False)
    assert gpu.profiles == {
        "1g.10gb": ObservedProfile(7, 9984, 16, Engines(1, 1, 0, 1, 0), frozenset({(0, 1), (1, 1)}))
    }
    assert gpu.instances == (
        ObservedInstance(Profile(1, 1, 10), 9, 0, "MIG-1", 1, 1, 2, 1, 9984, 16, Engines(1, 1, 0, 1, 0)),
    )
    assert gpu.gpu_instances == (ObservedGpuInstance(9, "1g.10gb", 2, 1),)
    assert gpu.bare_instances == ()
    assert read_driver(answer()) == Driver("580.159.04", (13, 0))


def test_null_in_the_answer_means_unknown() -> None:
    hidden = INSTANCE | {"start": None, "size": None, "engines": None}
    (gpu,) = read_probe(
        answer(
            memory_mib=None,
            capability=None,
            device_id=None,
            subsystem_id=None,
            profiles=[],
            gpu_instances=None,
            instances=[hidden],
            mig={"capable": False, "current": None, "pending": None},
        )
    )

    assert (gpu.memory_mib, gpu.capability, dict(gpu.profiles)) == (0, (0, 0), {})
    assert (gpu.mig_capable, gpu.mode) == (False, False)
    assert (gpu.instances[0].start, gpu.instances[0].engines) == (None, None)
    assert (gpu.gpu_instances, gpu.bare_instances) == (None, ())


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ({"probe": 1, "error": "Driver Not Loaded"}, "Driver Not Loaded"),
        ({"probe": 2}, "format 1"),
        ({"probe": 1}, "'gpus'"),
        (answer(instances=[INSTANCE | {"profile": "big"}]), "cannot parse fields of 'big'"),
    ],
)
def test_unreadable_answers(data: dict[str, Any], wrong: str) -> None:
    with pytest.raises(UnreadableError, match=wrong):
        read_probe(data)


@pytest.mark.parametrize("data", [{"probe": 1, "driver": "1"}, {"probe": 1, "driver": "1", "cuda": "13"}])
def test_unreadable_versions(data: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        read_driver(data)
