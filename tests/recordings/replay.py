"""What the replays of the device plugin and of GPU Feature Discovery share: runs of one program on one node."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pynvml

from conformance.sim.hardware import NodeHardware

CONFIG = "/config.yaml"


@dataclass(frozen=True)
class Replay:
    """One recorded run of one program.

    Attributes:
        id: Readable name, unique in its file.
        case: Geometry or situation, as recorded.
        gpus: State of the GPUs.
        run: What was recorded.
    """

    id: str
    case: str
    gpus: Sequence[Mapping[str, Any]]
    run: Mapping[str, Any]

    @property
    def command(self) -> list[str]:
        """Command line of the run."""
        return ["program", *self.run.get("flags", ())]

    @property
    def env(self) -> dict[str, str]:
        """Environment of the run."""
        given = {"CONFIG_FILE": CONFIG} if self.run.get("config") else {}
        return given | {"MIG_STRATEGY": self.run["strategy"]}

    def files(self, path: str) -> str | None:
        """Mounted files of the run: the configuration, if it has one."""
        return json.dumps(self.run["config"]) if path == CONFIG else None


def replays(recording: Mapping[str, Any]) -> Iterator[Replay]:
    """Name every run of every case."""
    for case in recording.get("cases", ()):
        for number, run in enumerate(case.get("runs", ())):
            flags = "".join(flag.removeprefix("-") for flag in run.get("flags", ()))
            name = f"{case['sku']}/{case['case']}/{number}-{run['strategy']}{flags}"
            yield Replay(name + ("-shared" if run.get("config") else ""), case["case"], case["gpus"], run)


def prepare(hardware: NodeHardware, case: str) -> None:
    """Set what the recorded state of the GPUs does not tell and the case's name does."""
    hardware.init_error = {
        "driver-not-loaded": pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
        "no-nvml-library": pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
    }.get(case)
    if case == "not-mig-capable":
        for gpu in hardware.gpus:
            gpu.mig_capable = False


class LogLines(list[str]):
    """Lines in the form of klog."""

    @property
    def notable(self) -> list[str]:
        """Warnings and errors without the head of the line, as a recording keeps them."""
        return [body(line) for line in self if line[0] in "WE"]


def body(line: str) -> str:
    """Take the severity, time and process off a line of klog."""
    return line.split(maxsplit=3)[3]
