"""The commands of every image: nvidia-smi by what is visible, sleep, the shell, scripts."""

import asyncio
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from conformance.sim.clock import Clock
from conformance.sim.container import Container
from conformance.sim.hardware import NodeHardware
from conformance.sim.kubelet.programs import Programs, image_name
from conformance.sim.kubelet.script import run_script
from conformance.sim.kubelet.shell import split
from conformance.sim.node import SimNode
from conformance.sim.nvml import Nvml


@dataclass
class Run:
    """A container that a test runs without a kubelet."""

    command: Sequence[str]
    image: str = "ubuntu:24.04"
    visible: frozenset[str] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    programs: Programs = field(default_factory=lambda: Programs({}, {}))
    gpus: int = 2

    def container(self) -> Container:
        clock = Clock(1000)
        hardware = NodeHardware(["h100-80gb-hbm3"] * self.gpus)
        return Container(
            pod={},
            name="main",
            image=self.image,
            command=self.command,
            env=self.env,
            node=SimNode("sim-0", hardware, clock),
            kube=cast("Any", None),
            clock=clock,
            visible=self.visible,
            files=dict(self.files).get,
            log=self.log.append,
        )

    async def __call__(self) -> int:
        container = self.container()
        program = self.programs.find(container)
        assert program is not None
        return await program(container)


async def test_nvidia_smi_shows_what_is_visible() -> None:
    everything = Run(["nvidia-smi", "-L"])
    assert await everything() == 0
    assert "".join(everything.log).count("GPU ") == 2

    one = Run(["/usr/bin/nvidia-smi", "-L"], visible=frozenset({everything.container().node.hardware.gpus[1].uuid}))
    assert await one() == 0
    assert "".join(one.log).count("GPU ") == 1


def test_nvidia_smi_is_not_there_without_a_gpu() -> None:
    run = Run(["nvidia-smi"], visible=frozenset())

    assert run.programs.find(run.container()) is None


@pytest.mark.parametrize(
    ("command", "code", "log"),
    [
        (["true"], 0, []),
        (["false"], 1, []),
        (["echo", "a", "b"], 0, ["a b"]),
        (["env"], 0, ["A=1"]),
        (["cat", "/a", "/b"], 1, ["content", "cat: /b: No such file or directory"]),
        (["sleep", "5"], 0, []),
        (["sleep", "soon"], 1, ["sleep: invalid time interval 'soon'"]),
        (["sleep"], 1, ["sleep: invalid time interval ''"]),
        (
            ["sh", "-c", "echo $A ${A}x '$B' > c"],
            2,
            ["sh: `>` is not simulated; only commands separated by ; && || are"],
        ),
        (["sh", "-c", 'echo "$A ${A}x" $B'], 0, ["1 1x "]),
        (["sh", "-c", "true && echo yes; false && echo no; echo end"], 0, ["yes", "end"]),
        (["sh", "-c", "false || echo rescued"], 0, ["rescued"]),
        (["sh", "-c", "nothing-here || [ $? -eq 127 ]"], 0, ["sh: 1: nothing-here: not found"]),
        (["sh", "-c", "false || [ $? -eq 14 ]"], 1, []),
        (["sh", "-c", "[ a != b ] && [ a = a ] && [ 1 -ne 2 ] && echo yes"], 0, ["yes"]),
        (["[", "-f", "x", "]"], 2, ["[: only comparisons of two values are simulated"]),
        (["sh", "-c", "nothing-here"], 127, ["sh: 1: nothing-here: not found"]),
        (["bash", "-ec", "false; echo never"], 1, []),
        (["sh", "-c", "echo a\necho b; exit 4; echo c"], 4, ["a", "b"]),
        (["sh", "-c", "exec echo replaced"], 0, ["replaced"]),
        (["sh", "-c", "while true; do true; done"], 2, None),
        (["sh", "-c", "echo 'open"], 2, ["sh: No closing quotation"]),
        (["sh"], 2, ["sh: only `sh -c COMMANDS` is simulated"]),
        (["python3", "/missing.py"], 2, None),
    ],
)
async def test_commands(command: Sequence[str], code: int, log: Sequence[str] | None) -> None:
    run = Run(command, files={"/a": "content"}, env={"A": "1"})

    assert await run() == code
    assert log is None or run.log == log


@pytest.mark.parametrize("command", [["sleep", "infinity"], ["sleep", "100000"], ["sh", "-c", "sleep 9999; echo no"]])
async def test_sigterm_ends_a_sleep_and_what_comes_after_it(command: Sequence[str]) -> None:
    run = Run(command)
    container = run.container()
    program = run.programs.find(container)
    assert program is not None
    running = asyncio.ensure_future(program(container))
    await asyncio.sleep(0.01)

    container.stop.set()

    assert await running == 143
    assert run.log == []


async def test_the_shell_finds_the_programs_of_the_cluster() -> None:
    async def manager(container: Container) -> int:
        container.log(f"managing with {container.command}")
        return 0

    run = Run(["sh", "-c", "mig-manager --now"], programs=Programs({}, {"mig-manager": manager}))

    assert await run() == 0
    assert run.log == ["managing with ['mig-manager', '--now']"]


def test_a_mounted_script_stands_for_what_its_image_runs() -> None:
    async def own(_: Container) -> int:
        return 0

    run = Run(["/bin/entrypoint.sh"], image="r/tool:v1", files={"/bin/entrypoint.sh": "#!/bin/sh"})

    assert Programs({"tool": own}, {}).find(run.container()) is own


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("nvcr.io/nvidia/cloud-native/k8s-mig-manager:v0.15.0", "k8s-mig-manager"),
        ("localhost:5000/a/b@sha256:00", "b"),
        ("ubuntu", "ubuntu"),
    ],
)
def test_the_name_of_an_image(image: str, name: str) -> None:
    assert image_name(image) == name


def test_a_command_line_is_cut_at_its_operators() -> None:
    assert list(split("a 'b;c' && d || e; f")) == [
        (";", ["a", "b;c"]),
        ("&&", ["d"]),
        ("||", ["e"]),
        (";", ["f"]),
    ]


SCRIPT = """
import json
import sys
import pynvml


def main():
    pynvml.nvmlInit()
    json.dump({"gpus": pynvml.nvmlDeviceGetCount(), "arguments": sys.argv[1:]}, sys.stdout)
    print("", file=sys.stderr)
    return 5


if __name__ == "__main__":
    sys.exit(main())
"""


async def test_a_script_runs_with_the_nvml_of_its_container(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(["python3", "/probe/read.py", "--fast"], files={"/probe/read.py": SCRIPT}, gpus=3)

    assert await run() == 5
    assert "".join(run.log) == '{"gpus": 3, "arguments": ["--fast"]}\n'
    assert capsys.readouterr().out == ""
    assert sys.stdout is not None


@pytest.mark.parametrize(
    ("source", "code", "written"),
    [
        ("print('a', 'b', sep='-')", 0, "a-b\n"),
        ("raise SystemExit", 0, ""),
        ("raise SystemExit('no GPU')", 1, "no GPU\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("def", 1, "SyntaxError: invalid syntax\n"),
    ],
)
def test_how_a_script_ends(source: str, code: int, written: str) -> None:
    output = io.StringIO()

    assert run_script(source, ["x.py"], Nvml(NodeHardware([])), output) == code
    assert output.getvalue().endswith(written)
