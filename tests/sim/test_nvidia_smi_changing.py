"""Changes by hand: `nvidia-smi -mig`, and `nvidia-smi mig` with `-cgi`, `-cci`, `-dci`, `-dgi` and `-lci`."""

from __future__ import annotations

import pytest

from conformance.sim.hardware import NodeHardware
from conformance.sim.nvidia_smi import run

IN_USE = 19


@pytest.fixture
def hardware() -> NodeHardware:
    """Two GPUs, of which the first has MIG on."""
    hardware = NodeHardware(["h100-80gb-hbm3"] * 2)
    assert run(["-i", "0", "-mig", "1"], hardware) == (0, "Enabled MIG Mode for GPU 00000000:07:00.0\nAll done.\n")
    return hardware


def devices(hardware: NodeHardware) -> list[str]:
    """Profiles in the listing."""
    lines = run(["-L"], hardware)[1].splitlines()
    return [line.split()[1] for line in lines if line.startswith("  MIG")]


def test_instances_with_their_devices(hardware: NodeHardware) -> None:
    code, said = run(["mig", "-cgi", "9,1g.10gb", "-C"], hardware)

    assert (code, said.splitlines()) == (0, [
        "Successfully created GPU instance ID  1 on GPU  0 using profile MIG 3g.40gb (ID  9)",
        "Successfully created compute instance ID  0 on GPU  0 GPU instance ID  1 using profile MIG 3g.40gb (ID  2)",
        "Successfully created GPU instance ID 14 on GPU  0 using profile MIG 1g.10gb (ID 19)",
        "Successfully created compute instance ID  0 on GPU  0 GPU instance ID 14 using profile MIG 1g.10gb (ID  0)",
    ])  # fmt: skip
    assert devices(hardware) == ["3g.40gb", "1g.10gb"]
    assert run(["mig", "-lci"], hardware)[1].splitlines()[6:8] == [
        "|   0      1       MIG 3g.40gb        2         0          0:3     |",
        "+--------------------------------------------------------------------+",
    ]


def test_an_instance_without_compute_instance_is_no_device(hardware: NodeHardware) -> None:
    assert run(["mig", "-cgi", "3g.40gb"], hardware)[0] == 0
    assert devices(hardware) == []
    assert "3g.40gb" in run(["mig", "-lgi"], hardware)[1]
    assert run(["mig", "-cci", "0,0", "-gi", "1"], hardware)[0] == 0
    assert devices(hardware) == ["1c.3g.40gb", "1c.3g.40gb"]


def test_devices_go_before_their_instances(hardware: NodeHardware) -> None:
    run(["mig", "-cgi", "19", "-C"], hardware)
    code, said = run(["mig", "-dgi"], hardware)
    assert (code, said.splitlines()[-1]) == (IN_USE, "Failed to destroy GPU instances: In use by another client")

    gone = "Successfully destroyed compute instance ID  0 from GPU  0 GPU instance ID  9\n"
    assert run(["mig", "-dci"], hardware) == (0, gone)
    assert run(["mig", "-dgi", "-gi", "9"], hardware) == (0, "Successfully destroyed GPU instance ID  9 from GPU  0\n")
    assert run(["mig", "-dgi"], hardware)[0] == 6
    assert run(["-i", "0", "-mig", "0"], hardware)[1].startswith("Disabled MIG Mode")


def test_what_does_not_fit_is_refused_and_what_was_made_stays(hardware: NodeHardware) -> None:
    code, said = run(["mig", "-cgi", "3g.40gb,7g.80gb", "-C"], hardware)

    assert (code, said.splitlines()[-1]) == (23, "Failed to create GPU instances: Insufficient Resources")
    assert devices(hardware) == ["3g.40gb"]


def test_the_mode_waits_for_instances_to_go(hardware: NodeHardware) -> None:
    run(["mig", "-cgi", "19"], hardware)
    code, said = run(["-i", "0", "-mig", "0"], hardware)

    assert code == 0
    assert said.startswith("Warning: MIG mode is in pending disable state for GPU 00000000:07:00.0")
    assert hardware.gpus[0].mode_current


def test_gpus_without_mig_are_told() -> None:
    hardware = NodeHardware(["h100-80gb-hbm3"])
    assert run(["mig", "-cgi", "19"], hardware) == (0, "No MIG-enabled devices found.\n")
    hardware.gpus[0].mig_capable = False
    assert "Not Supported" in run(["-mig", "1"], hardware)[1]


@pytest.mark.parametrize("wrong", [["mig", "-cgi"], ["mig", "-dgi", "-cgi", "9"], ["mig"], ["-mig", "2"]])
def test_wrong_options(hardware: NodeHardware, wrong: list[str]) -> None:
    code, said = run(wrong, hardware)

    assert code in (2, 255)
    assert said.startswith("ERROR: ")


def test_a_container_without_privilege_may_change_nothing(hardware: NodeHardware) -> None:
    run(["mig", "-cgi", "19", "-C"], hardware)
    uuid = hardware.gpus[0].instances[0].compute_instances[0].uuid

    assert run(["mig", "-dci"], hardware, frozenset({uuid}))[0] == 4
    assert devices(hardware) == ["1g.10gb"]
