"""The command line of nvidia-smi, and `-r`, the reset that applies a pending MIG mode on Ampere.

Sources: messages about arguments and exit codes from nvidia-smi 580.159.04; those of refused resets from
tests/recordings/data/mig-parted.json.gz, where mig-parted repeats them in its log.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pynvml

from conformance.sim.hardware import ErrorCode, Gpu, NodeHardware, ResetRefusedError, ResetUnsupportedError
from conformance.sim.nvidia_smi import changing, mig, query, summary
from conformance.sim.nvidia_smi.answer import Answer, UsageError, View
from conformance.sim.nvml import Nvml

LIST = ("-L", "--list-gpus")
SELECT = ("-i", "--id")
REFUSED = 255
_SHORT = {
    "--create-gpu-instance": "-cgi",
    "--default-compute-instance": "-C",
    "--create-compute-instance": "-cci",
    "--destroy-compute-instance": "-dci",
    "--destroy-gpu-instance": "-dgi",
    "--gpu-instance-id": "-gi",
    "--compute-instance-id": "-ci",
}


def run(
    args: Sequence[str],
    hardware: NodeHardware,
    visible: frozenset[str] | None = None,
    *,
    now: datetime | None = None,
) -> tuple[int, str]:
    """Run nvidia-smi with `args` (without the program's name) and return exit code and output.

    Supported are `-L`, `mig` with `-lgip`, `-lgipp`, `-lgi` or `-lci`, the changes of `changing.py`, `--query-gpu`,
    `-r` and no argument at all; all but `-L` accept `-i`.

    Args:
        args: The arguments.
        hardware: The node's GPUs.
        visible: UUIDs that the container may use, see `Nvml`; None for the whole node.
        now: Time that the table shows; None for the real time.
    """
    nvml = Nvml(hardware, visible)
    try:
        nvml.nvmlInit()
        what, where = _split(args)
        gpus = [(index, gpu) for index, gpu in enumerate(nvml.gpus()) if where is None or _named(where, index, gpu)]
        if not gpus:
            return int(ErrorCode.NOT_FOUND), _none_found(what)
        return _answer(what, View(nvml, gpus), now or datetime.now(UTC))
    except pynvml.NVMLError as failed:
        return _no_driver(failed)
    except UsageError as wrong:
        return wrong.code, f"{wrong}\n\n"


def _answer(what: Sequence[str], view: View, now: datetime) -> Answer:
    match what:
        case []:
            return summary.table(view, now)
        case ["-L" | "--list-gpus"]:
            return summary.listing(view)
        case ["-r" | "--gpu-reset"]:
            return _reset(view)
        case ["mig", "-lgip" | "--list-gpu-instance-profiles"]:
            return mig.profiles(view)
        case ["mig", "-lgipp" | "--list-gpu-instance-possible-placements"]:
            return mig.placements(view)
        case ["mig", "-lgi" | "--list-gpu-instances"]:
            return mig.instances(view)
        case ["mig", "-lci" | "--list-compute-instances"]:
            return mig.compute_instances(view)
        case ["mig", *options]:
            return _change(options, view)
        case ["-mig" | "--multi-instance-gpu", wanted]:
            return changing.set_mode(view, wanted)
        case [question, *form] if question.startswith("--query-gpu="):
            return query.gpus(view, question.partition("=")[2], form)
    raise UsageError(255, f"ERROR: Option {what[-1]} is not recognized. Please run 'nvidia-smi -h'.")


def _change(options: Sequence[str], view: View) -> Answer:
    """`nvidia-smi mig` with one of the options that change something, and those that choose what."""
    given = _values(options)
    chosen, compute = _numbers(given.get("-gi", "")), _numbers(given.get("-ci", ""))
    match sorted(given.keys() - {"-gi", "-ci"}):
        case ["-cgi"] | ["-C", "-cgi"]:
            return changing.create(view, given["-cgi"], with_compute="-C" in given)
        case ["-cci"]:
            return changing.create_compute(view, given["-cci"], chosen)
        case ["-dci"]:
            return changing.destroy_compute(view, chosen, compute)
        case ["-dgi"]:
            return changing.destroy(view, chosen)
    last = options[-1] if options else "mig"
    raise UsageError(255, f"ERROR: Option {last} is not recognized. Please run 'nvidia-smi mig -h'.")


def _values(options: Sequence[str]) -> dict[str, str]:
    """Return the options in their short spelling, each with its value; empty for those without."""
    given: dict[str, str] = {}
    option = ""
    for word in options:
        if word.startswith("-"):
            option = _SHORT.get(word, word)
            given[option] = ""
        elif option:
            given[option] = word
    if not given.get("-cgi", "absent"):
        raise UsageError(255, "ERROR: Option -cgi is missing its value. Please run 'nvidia-smi mig -h' for help.")
    return given


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part.strip().isdigit()]


def _split(args: Sequence[str]) -> tuple[list[str], frozenset[str] | None]:
    """Split the arguments into the command and the GPUs that `-i` names; None without `-i`."""
    option = next((argument for argument in args if argument in SELECT), None)
    if option is None:
        return list(args), None
    at = args.index(option)
    if at + 1 == len(args):
        raise UsageError(255, f"ERROR: Option {option} is missing its value. Please run 'nvidia-smi -h' for help.")
    if args[0] in LIST:
        hint = "Please run 'nvidia-smi -h' for help."
        raise UsageError(2, f"ERROR: Option {option} is not valid for this command. {hint}")
    return [*args[:at], *args[at + 2 :]], frozenset(args[at + 1].split(","))


def _named(where: frozenset[str], index: int, gpu: Gpu) -> bool:
    """Return whether a name identifies the GPU: index, UUID, or PCI bus id with a short or long domain."""
    bus_id = gpu.pci_bus_id
    return not where.isdisjoint({str(index), gpu.uuid, bus_id, bus_id[4:], bus_id.lower(), bus_id[4:].lower()})


def _none_found(what: Sequence[str]) -> str:
    return "No devices found.\n" if what and what[0] in LIST else "No devices were found\n"


def _no_driver(failed: pynvml.NVMLError) -> Answer:
    if failed.value == pynvml.NVML_ERROR_DRIVER_NOT_LOADED:
        return failed.value, (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
            " Make sure that the latest NVIDIA driver is installed and running.\n\n"
        )
    return failed.value, f"Failed to initialize NVML: {failed}\n"


def _reset(view: View) -> Answer:
    """Reset all GPUs of `view`, or none of them."""
    if view.nvml.visible is not None:
        return int(ErrorCode.NO_PERMISSION), "Insufficient Permissions\n"
    try:
        view.nvml.hardware.reset([gpu.index for _, gpu in view.gpus])
    except ResetUnsupportedError:
        first = view.gpus[0][1].pci_bus_id
        return int(ErrorCode.NOT_SUPPORTED), (
            f"\nGPU {first}: resetting is not supported on this system; reboot to apply the pending change\n"
        )
    except ResetRefusedError as refused:
        busy = "".join(f"  GPU {bus_id}: In use by another client\n" for bus_id in refused.busy)
        devices, these = (
            ("1 device is", "this device")
            if len(refused.busy) == 1
            else (f"{len(refused.busy)} devices are", "these devices")
        )
        return REFUSED, (
            f"\nThe following GPUs could not be reset:\n{busy}\n"
            f"{devices} currently being used by one or more other processes. Please first kill all processes using"
            f" {these} and retry the command or reboot the system.\n"
        )
    done = "".join(f"GPU {gpu.pci_bus_id} was successfully reset.\n" for _, gpu in view.gpus)
    return 0, f"{done}All done.\n"
