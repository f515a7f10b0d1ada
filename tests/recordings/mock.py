"""The commands of the NVML mock under the recordings, done on simulated GPUs."""

from __future__ import annotations

from conformance.sim.hardware import Gpu, NodeHardware
from conformance.spec.profile import Profile
from tests.recordings.loader import COMPUTE_PROFILES


def mock(hardware: NodeHardware, command: str) -> None:
    """Do what a command of the recorder's NVML mock does."""
    match command.split():
        case ["set", *settings]:
            for setting in settings:
                _set(hardware, *setting.split("="))
        case ["busy", gpu, pid, *instance]:
            hardware.hold(int(gpu), int(pid), *map(int, instance))
        case ["idle", *pid]:
            hardware.release(*map(int, pid))
        case ["reboot"]:
            hardware.reboot()
        case ["reset"]:
            hardware.reset()
        case _:
            raise ValueError(f"the mock has no command {command!r} that this replay knows")


def _set(hardware: NodeHardware, key: str, value: str) -> None:
    match key:
        case "init_error":
            hardware.init_error = int(value) or None
        case "mode_needs_reboot":
            hardware.mode_needs_reboot = value == "1"
        case "profiles_need_mig":
            hardware.profiles_need_mig = value == "1"
        case "mig_capable":
            for gpu in hardware.gpus:
                gpu.mig_capable = value == "1"
        case _:
            raise ValueError(f"the mock has no setting {key!r} that this replay knows")


def make_by_hand(hardware: NodeHardware, profiles: list[str]) -> None:
    """Switch MIG on and create these MIG devices on every GPU, where the driver likes."""
    for gpu in hardware.gpus:
        gpu.mode_current = gpu.mode_pending = True
        for name in profiles:
            _create(gpu, Profile.parse(name))


def _create(gpu: Gpu, profile: Profile) -> None:
    row = next(row for row in gpu.model.profiles if row.profile == profile)
    gpu.create_compute_instance(gpu.create_instance(row), COMPUTE_PROFILES[row.slices])
