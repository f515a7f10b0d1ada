"""mig-parted of the simulator against recordings of the real one: exit code, output, and the state of the GPUs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pynvml
import pytest
import yaml

from conformance.sim import mig_parted, nvidia_smi
from conformance.sim.hardware import NodeHardware
from conformance.sim.nvml import Nvml
from tests.recordings.loader import board_of, recorded, state_in, state_of

NAME = "mig-parted"
CONFIG = "/config.yaml"
PID = 4242


Change = Callable[[NodeHardware], None]
Reader = Callable[[str, Any], Iterator["Replay"]]


def _nothing(_: NodeHardware) -> None: ...


@dataclass(frozen=True)
class Replay:
    """A sequence of calls on one node.

    Attributes:
        id: Readable name, unique in its file.
        steps: The calls with what they printed and left behind.
        path: The configuration file.
        text: Its content; None where there is no such file.
        first: What was done to the node before the first call.
        second: What was done to it before the second.
        exported: Entries that `export` prints at the end; None where that was not recorded.
    """

    id: str
    steps: Sequence[Mapping[str, Any]]
    text: str | None
    path: str = CONFIG
    first: Change = _nothing
    second: Change = _nothing
    exported: object = None


def _fail_to_load(hardware: NodeHardware) -> None:
    hardware.init_error = pynvml.NVML_ERROR_DRIVER_NOT_LOADED


def _need_reboot(hardware: NodeHardware) -> None:
    hardware.mode_needs_reboot = True


def _know_no_mig(hardware: NodeHardware) -> None:
    for gpu in hardware.gpus:
        gpu.mig_capable = False


FAULTS: Mapping[str, tuple[Change, Change]] = {
    "busy-full-gpu-then-enable": (lambda hardware: hardware.hold(0, PID), _nothing),
    "mode-needs-reboot": (_need_reboot, _nothing),
    "not-mig-capable": (_know_no_mig, _nothing),
    "driver-not-loaded": (_fail_to_load, _nothing),
    "busy-mig-device-then-change": (_nothing, lambda node: node.hold(0, PID, node.gpus[0].instances[0].id)),
    "reboot-after-apply": (_nothing, lambda hardware: hardware.reboot()),
}
"""What the recorder did to its mock before the first call and before the second in the cases `faults`; the recording
tells it by the name of the case only."""


def _replays(recording: Mapping[str, Any]) -> Iterator[Replay]:
    for key, content in recording.get("cases", {}).items():
        read: Reader = _KINDS.get(key.partition(":")[0], _generated)
        yield from read(key, content)


def _generated(key: str, content: Mapping[str, Any]) -> Iterator[Replay]:
    for case in content["configs"]:
        yield Replay(f"{key}/{case['config']}", case["steps"], _generate(case["steps"]), exported=case["export"])


def _edge(key: str, content: Sequence[Mapping[str, Any]]) -> Iterator[Replay]:
    for case in content:
        entry = {"devices": "all", "mig-enabled": True, "mig-devices": case["mig-devices"]}
        text = json.dumps({"version": "v1", "mig-configs": {"x": [entry]}})
        name = "+".join(f"{count}x{profile}" for profile, count in case["mig-devices"].items()) or "none"
        yield Replay(f"{key}/{name}", [case["valid_config"], case["apply"]], text, exported=case["export"])


def _files(key: str, content: Mapping[str, Mapping[str, Any]]) -> Iterator[Replay]:
    for name, case in content.items():
        steps = case["steps"]
        if missing := re.search(r"open (\S+): no such file", str(steps)):
            yield Replay(f"{key}/{name}", steps, None, missing[1])
        else:
            yield Replay(f"{key}/{name}", steps, case.get("file", _generate(steps)))


def _faults(key: str, content: Sequence[Mapping[str, Any]]) -> Iterator[Replay]:
    for case in content:
        steps = case["steps"]
        first, second = FAULTS[case["case"]]
        yield Replay(f"{key}/{case['sku']}/{case['case']}", steps, _generate(steps), first=first, second=second)


def _none(*_: object) -> Iterator[Replay]:
    """Nodes with two kinds of GPU only had their configuration generated."""
    return iter(())


_KINDS: Mapping[str, Reader] = {
    "edge": _edge,
    "config-files": _files,
    "faults": _faults,
    "hetero": _none,
}


def _generate(steps: Sequence[Mapping[str, Any]]) -> str:
    """Return the file that the program generates for the kinds of GPU in a recording."""
    return "\n".join(_call(_untouched(steps), ["generate-config"], lambda _: None).stdout)


def _untouched(steps: Sequence[Mapping[str, Any]]) -> NodeHardware:
    return NodeHardware([board_of(gpu["sku"]) for gpu in steps[0]["mig_after"]])


def _call(hardware: NodeHardware, argv: Sequence[str], read: Callable[[str], str | None]) -> mig_parted.Result:
    return mig_parted.run(argv, Nvml(hardware), lambda arguments: nvidia_smi.run(arguments, hardware), read)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    recording = recorded(NAME, metafunc.config.getoption("recordings", default=None))
    metafunc.parametrize("replay", [pytest.param(replay, id=replay.id) for replay in _replays(recording)])


def test_calls_end_like_those_of_the_real_program(replay: Replay) -> None:
    hardware = _untouched(replay.steps)
    files = {replay.path: replay.text}
    for step, prepare in zip(
        replay.steps, (replay.first, replay.second, *[_nothing] * len(replay.steps)), strict=False
    ):
        prepare(hardware)

        result = _call(hardware, _arguments(step, replay.path), files.get)

        assert (result.rc, result.stdout) == (step["rc"], step["stdout"])
        assert [_fragment(line) for line in result.stderr] == [_fragment(line) for line in step["stderr"]]
        assert state_of(hardware) == state_in(step["mig_after"])
    if replay.exported is not None:
        printed = yaml.safe_load("\n".join(_call(hardware, ["export"], files.get).stdout))
        assert printed["mig-configs"]["current"] == replay.exported


def _arguments(step: Mapping[str, Any], path: str) -> list[str]:
    selected = ["-c", step["config"]] if step["config"] is not None else []
    return [step["verb"], *step.get("flags", ()), "-f", path, *selected]


def _fragment(line: str) -> str:
    """Cut off why exactly a profile name or a count is malformed, which `spec` says in its own words."""
    return re.sub(r"(cannot parse fields of|invalid count for).*", r"\1", line)
