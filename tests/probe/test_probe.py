"""The probe with the simulated NVML, compared with its output on a real H100."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pynvml
import pytest

import conformance.probe
from conformance.expect.observed import ObservedGpuInstance
from conformance.expect.readings import read_probe
from conformance.probe import read
from conformance.sim.hardware import NodeHardware
from conformance.sim.hardware.compute import SIZES
from conformance.spec.models import GpuModel, load_models
from tests.probe.running import run_probe

RECORDED = Path(__file__).with_name("h100-80gb-hbm3.json")


def partitioned() -> NodeHardware:
    hardware = NodeHardware(["h100-80gb-hbm3"] * 2)
    gpu = hardware.gpus[1]
    hardware.set_mode(gpu, True)
    for profile, compute in (("3g.40gb", 0), ("2g.20gb", 1), ("1g.10gb+me", 0)):
        gpu.create_compute_instance(gpu.create_instance(gpu.model.row(profile)), compute)
    return hardware


def test_a_simulated_h100_gives_the_same_answer_as_a_real_one() -> None:
    real = json.loads(RECORDED.read_text())
    hardware = NodeHardware(["h100-80gb-hbm3"])
    hardware.gpus[0].uuid = real["gpus"][0]["uuid"]
    simulated = run_probe(hardware)
    assert simulated["gpus"][0].pop("gpu_instances") == []  # a field that is newer than the recording; MIG is off
    assert simulated == {key: value for key, value in real.items() if key != "source"}


def test_mig_devices_with_placement_and_computed_profile() -> None:
    answer = run_probe(partitioned())
    found = answer["gpus"][1]["instances"]
    assert [(each["profile"], each["gi"], each["start"], each["size"]) for each in found] == [
        ("1c.3g.40gb", 1, 4, 4),
        ("2g.20gb", 6, 2, 2),
        ("1g.10gb+me", 12, 1, 1),
    ]
    assert {each["profile_from"] for each in found} == {"memory"}
    assert answer["gpus"][0]["instances"] == []
    assert len(read_probe(answer)[1].instances) == 3


def test_gpu_instances_are_seen_without_compute_instances_too() -> None:
    hardware = partitioned()
    bare = hardware.gpus[1].create_instance(hardware.gpus[1].model.row("1g.10gb"), 0)
    answer = run_probe(hardware)
    assert answer["gpus"][0]["gpu_instances"] == []
    assert answer["gpus"][1]["gpu_instances"] == [
        {"profile": "3g.40gb", "id": 1, "start": 4, "size": 4},
        {"profile": "2g.20gb", "id": 6, "start": 2, "size": 2},
        {"profile": "1g.10gb", "id": bare.id, "start": 0, "size": 1},
        {"profile": "1g.10gb+me", "id": 12, "start": 1, "size": 1},
    ]
    assert read_probe(answer)[1].bare_instances == (ObservedGpuInstance(bare.id, "1g.10gb", 0, 1),)


@pytest.mark.parametrize("model", load_models().values(), ids=lambda model: model.name)
def test_every_profile_of_every_model_gets_its_name(model: GpuModel) -> None:
    for row in model.profiles:
        hardware = NodeHardware([(model, model.boards[0])])
        gpu = hardware.gpus[0]
        gpu.mode_current = True
        instance = gpu.create_instance(row)
        whole = next(profile for profile, slices in SIZES.items() if slices == row.slices)
        gpu.create_compute_instance(instance, whole)
        (answer,) = run_probe(hardware)["gpus"]
        assert [each["profile"] for each in answer["instances"]] == [row.name]
        assert (row.name, row.max_instances) in {(each["name"], each["max_instances"]) for each in answer["profiles"]}


def test_values_without_access_are_null_in_a_container_with_one_mig_device() -> None:
    hardware = partitioned()
    device = hardware.gpus[1].instances[2].compute_instances[0]
    (gpu,) = run_probe(hardware, frozenset({device.uuid}))["gpus"]
    (instance,) = gpu["instances"]
    assert gpu["memory_mib"] is gpu["gpu_instances"] is None
    assert read_probe(run_probe(hardware, frozenset({device.uuid})))[0].bare_instances == ()
    assert (instance["profile"], instance["profile_from"]) == ("1g.10gb+me", "name")
    assert (instance["start"], instance["size"], instance["uuid"]) == (None, None, device.uuid)
    assert instance["memory_mib"] == 9984


def test_a_gpu_without_mig() -> None:
    hardware = NodeHardware(["h100-80gb-hbm3"])
    hardware.gpus[0].mig_capable = False
    (gpu,) = run_probe(hardware)["gpus"]
    assert gpu["mig"] == {"capable": False, "current": None, "pending": None}
    assert gpu["profiles"] == gpu["gpu_instances"] == gpu["instances"] == []


def test_a_driver_that_is_not_loaded_is_reported() -> None:
    hardware = NodeHardware(["h100-80gb-hbm3"])
    hardware.init_error = pynvml.NVML_ERROR_DRIVER_NOT_LOADED
    assert run_probe(hardware) == {"probe": 1, "error": "Driver Not Loaded"}


def test_failures_of_the_gpu_are_not_hidden() -> None:
    def lost() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

    with pytest.raises(pynvml.NVMLError_GpuIsLost):
        read.ask(lost)


def test_the_module_runs_on_a_machine_without_a_driver() -> None:
    done = subprocess.run([sys.executable, "-m", "conformance.probe"], capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    assert (done.returncode == 1) == ("error" in answer)


def test_the_files_fit_into_a_config_map() -> None:
    files = conformance.probe.files()
    assert set(files) == {"read.py", "hold.py", "use.py", "pynvml.py"}
    assert sum(len(text.encode()) for text in files.values()) < 1024 * 1024
