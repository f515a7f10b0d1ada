"""nvidia-smi against recordings of driver 580 on a real H100 and H200, and with MIG on."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance.sim.faults import Faults
from conformance.sim.hardware import NodeHardware
from conformance.sim.nvidia_smi import run

RECORDINGS = Path(__file__).parent / "hardware"
NOON = datetime(2026, 11, 23, 12, 2, 17, tzinfo=UTC)


def recorded() -> list[tuple[str, str, int, str]]:
    """Board, arguments, exit code and output of every command in the recordings."""
    found = []
    for path in sorted(RECORDINGS.glob("*.txt")):
        for command in re.split(r"^\$ nvidia-smi ", path.read_text(), flags=re.MULTILINE)[1:]:
            arguments, _, rest = command.partition("\n")
            output, _, code = rest.rpartition("[rc ")
            found.append((path.stem, arguments, int(code.strip(" ]\n")), output))
    return found


def partitioned(*boards: str, faults: tuple[str, ...] = ()) -> NodeHardware:
    """GPUs of which the last one has MIG on, with 3g, 2g, 1g and 1g+me."""
    hardware = NodeHardware(boards or ["h100-80gb-hbm3"], faults=Faults(faults))
    gpu = hardware.gpus[-1]
    gpu.mode_current = gpu.mode_pending = True
    for profile, compute in (("3g.40gb", 2), ("2g.20gb", 1), ("1g.10gb", 0), ("1g.10gb+me", 0)):
        gpu.create_compute_instance(gpu.create_instance(gpu.model.row(profile)), compute)
    return hardware


@pytest.mark.parametrize(("board", "arguments", "code", "output"), recorded())
def test_as_recorded(board: str, arguments: str, code: int, output: str) -> None:
    hardware = NodeHardware([board])
    uuid = re.search("GPU-[0-9a-f-]{36}", (RECORDINGS / f"{board}.txt").read_text())
    assert uuid is not None
    hardware.gpus[0].uuid = uuid[0]
    assert run(arguments.split(), hardware) == (code, output)


def test_list_with_mig_devices() -> None:
    hardware = partitioned("h100-80gb-hbm3", "h100-80gb-hbm3")
    uuids = [each.compute_instances[0].uuid for each in hardware.gpus[1].instances]
    code, output = run(["-L"], hardware)
    assert code == 0
    assert output.splitlines() == [
        f"GPU 0: NVIDIA H100 80GB HBM3 (UUID: {hardware.gpus[0].uuid})",
        f"GPU 1: NVIDIA H100 80GB HBM3 (UUID: {hardware.gpus[1].uuid})",
        f"  MIG 3g.40gb     Device  0: (UUID: {uuids[0]})",
        f"  MIG 2g.20gb     Device  1: (UUID: {uuids[1]})",
        f"  MIG 1g.10gb+me  Device  2: (UUID: {uuids[2]})",
        f"  MIG 1g.10gb     Device  3: (UUID: {uuids[3]})",
    ]


def test_list_in_a_container_is_renumbered() -> None:
    hardware = partitioned("h100-80gb-hbm3", "h100-80gb-hbm3")
    device = hardware.gpus[1].instances[1].compute_instances[0]
    assert run(["-L"], hardware, frozenset({device.uuid}))[1].splitlines() == [
        f"GPU 0: NVIDIA H100 80GB HBM3 (UUID: {hardware.gpus[1].uuid})",
        f"  MIG 2g.20gb     Device  0: (UUID: {device.uuid})",
    ]
    assert run(["-L"], hardware, frozenset()) == (6, "No devices found.\n")


def test_the_fault_leaves_out_the_last_device() -> None:
    assert run(["-L"], partitioned(faults=("smi-misses-device",)))[1].count("MIG") == 3 * 2


def test_instances_in_the_order_of_profiles() -> None:
    """Form and order: output of users with driver 580 and 535 for the same geometry."""
    assert run(["mig", "-lgi"], partitioned()) == (
        0,
        """\
+---------------------------------------------------------+
| GPU instances:                                          |
| GPU   Name               Profile  Instance   Placement  |
|                            ID       ID       Start:Size |
|=========================================================|
|   0  MIG 1g.10gb           19       12          1:1     |
+---------------------------------------------------------+
|   0  MIG 1g.10gb+me        20       11          0:1     |
+---------------------------------------------------------+
|   0  MIG 2g.20gb           14        6          2:2     |
+---------------------------------------------------------+
|   0  MIG 3g.40gb            9        1          4:4     |
+---------------------------------------------------------+
""",
    )


def test_instances_of_an_empty_gpu() -> None:
    hardware = NodeHardware(["h100-80gb-hbm3"])
    hardware.set_mode(hardware.gpus[0], True)
    assert run(["mig", "-lgi"], hardware) == (6, "No GPU instances found: Not Found\n")


def test_profiles_of_a_full_gpu_have_none_free() -> None:
    rows = re.findall(r"MIG (\S+) +\d+ +(\d)/(\d)", run(["mig", "-lgip"], partitioned())[1])
    assert ("1g.10gb", "0", "7") in rows
    assert {free for _, free, _ in rows} == {"0"}


def test_table_with_mig_devices() -> None:
    """Form: output of a user with driver 580, an H100 and one MIG device in a container."""
    hardware = partitioned()
    device = hardware.gpus[0].instances[1].compute_instances[0]
    code, output = run([], hardware, frozenset({device.uuid}), now=NOON)
    lines = output.splitlines()
    assert code == 0
    assert lines[0] == "Mon Nov 23 12:02:17 2026       "
    assert "|   0  NVIDIA H100 80GB HBM3          On  |   00000000:07:00.0 Off |                   On |" in lines
    assert "| N/A   N/A    P0            N/A  /  N/A  |                  N/A   |     N/A      Default |" in lines
    assert "|                                         |                        |              Enabled |" in lines
    assert "|  0    6   0   0  |               0MiB / 20096MiB    | 32      0 |  2   0    2    0    2 |" in lines
    assert {len(line) for line in lines[1:] if line} == {91}


def test_table_without_mig_devices_and_with_a_process() -> None:
    hardware = NodeHardware(["rtx-pro-6000-96gb"])
    hardware.set_mode(hardware.gpus[0], True)
    hardware.hold(0, pid=2019)
    lines = run([], hardware, now=NOON)[1].splitlines()
    assert any("NVIDIA RTX PRO 6000 Blac...    On  |" in line for line in lines)
    assert "|  No MIG devices found                                                                   |" in lines
    assert any("2019" in line for line in lines)
    assert {len(line) for line in lines[1:] if line} == {91}


@pytest.mark.parametrize("name", ["0", "00000000:07:00.0", "0000:07:00.0"])
def test_reset(name: str) -> None:
    hardware = NodeHardware(["a100-sxm4-40gb"])
    hardware.set_mode(hardware.gpus[0], True)
    assert run(["-r", "-i", name], hardware) == (0, "GPU 00000000:07:00.0 was successfully reset.\nAll done.\n")
    assert hardware.gpus[0].mode_current


def test_refused_reset() -> None:
    """Expected: tests/recordings/data/mig-parted.json.gz, faults, busy-full-gpu-then-enable."""
    hardware = NodeHardware(["a100-sxm4-40gb"] * 2)
    hardware.hold(0, pid=4242)
    assert run(["-r"], hardware) == (
        255,
        (
            "\nThe following GPUs could not be reset:\n  GPU 00000000:07:00.0: In use by another client\n\n"
            "1 device is currently being used by one or more other processes. Please first kill all processes using"
            " this device and retry the command or reboot the system.\n"
        ),
    )


def test_reset_where_only_a_reboot_helps() -> None:
    """Expected: tests/recordings/data/mig-parted.json.gz, faults, mode-needs-reboot."""
    hardware = NodeHardware(["a100-sxm4-40gb"] * 2)
    hardware.mode_needs_reboot = True
    assert run(["-r"], hardware) == (
        3,
        "\nGPU 00000000:07:00.0: resetting is not supported on this system; reboot to apply the pending change\n",
    )


def test_query_in_a_container_with_a_mig_device() -> None:
    hardware = partitioned()
    visible = frozenset({hardware.gpus[0].instances[0].compute_instances[0].uuid})
    fields = "--query-gpu=index,memory.total,mig.mode.current"
    assert run([fields, "--format=csv,noheader"], hardware, visible) == (0, "0, [Insufficient Permissions], Enabled\n")


def test_no_driver() -> None:
    hardware = NodeHardware(["h100-80gb-hbm3"])
    hardware.init_error = 9
    code, output = run(["-L"], hardware)
    assert code == 9
    assert output.startswith("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.")
