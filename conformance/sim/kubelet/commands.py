"""The commands that every image of the simulated cluster contains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from conformance.sim import nvidia_smi
from conformance.sim.container import Container, Program
from conformance.sim.kubelet.host import chroot
from conformance.sim.kubelet.script import python

PROCESS_NAMES: Final = "/proc/[0-9]*/comm"
"""The files with the names of all processes, as a pattern for the shell."""
ENDED_BY_SIGTERM: Final = 143
"""Exit code of a program that SIGTERM ended (128 + 15)."""


async def smi(container: Container) -> int:
    """Run `nvidia-smi` for the GPUs that the container sees."""
    code, output = nvidia_smi.run(
        container.command[1:], container.node.hardware, container.visible, now=container.clock.time()
    )
    container.log(output)
    return code


async def sleep(container: Container) -> int:
    """Wait for a number of seconds or forever (`infinity`); SIGTERM ends it at once."""
    amount = container.command[1] if len(container.command) > 1 else ""
    if amount == "infinity":
        await container.stop.wait()
        return ENDED_BY_SIGTERM
    try:
        seconds = float(amount.removesuffix("s"))
    except ValueError:
        container.log(f"sleep: invalid time interval '{amount}'")
        return 1
    try:
        await container.clock.wait(container.stop, seconds)
    except TimeoutError:
        return 0
    return ENDED_BY_SIGTERM


async def pause(container: Container) -> int:
    """Run until SIGTERM."""
    return await container.stopped()


async def succeed(container: Container) -> int:  # noqa: ARG001 - programs take a container
    """Exit with code 0."""
    return 0


async def fail(container: Container) -> int:  # noqa: ARG001 - programs take a container
    """Exit with code 1."""
    return 1


async def echo(container: Container) -> int:
    """Print the arguments."""
    container.log(" ".join(container.command[1:]))
    return 0


async def env(container: Container) -> int:
    """Print the environment."""
    for name, value in container.env.items():
        container.log(f"{name}={value}")
    return 0


async def cat(container: Container) -> int:
    """Print mounted files, and the names of the host's processes in a container that sees them."""
    code = 0
    for path in container.command[1:]:
        content = _names_of_processes(container) if path == PROCESS_NAMES else container.files(path)
        container.log(f"cat: {path}: No such file or directory" if content is None else content)
        code = max(code, int(content is None))
    return code


def _names_of_processes(container: Container) -> str | None:
    if not (container.pod.get("spec") or {}).get("hostPID"):
        return None
    return "\n".join(["systemd", "kubelet", "containerd", *container.node.hardware.processes.values()])


async def test(container: Container) -> int:
    """Compare two numbers or texts: `[ A -eq B ]`, `[ A -ne B ]`, `[ A = B ]`, `[ A != B ]`."""
    match list(container.command[1:]):
        case [left, "-eq" | "=", right, "]"]:
            return int(left != right)
        case [left, "-ne" | "!=", right, "]"]:
            return int(left == right)
    container.log("[: only comparisons of two values are simulated")
    return 2


COMMANDS: Final[Mapping[str, Program]] = {
    "[": test,
    "cat": cat,
    "chroot": chroot,
    "echo": echo,
    "env": env,
    "false": fail,
    "nvidia-smi": smi,
    "pause": pause,
    "printenv": env,
    "python": python,
    "python3": python,
    "sleep": sleep,
    "touch": succeed,
    "true": succeed,
}
"""Programs by the base name of their executable; `Programs` adds the shell, which needs the whole table."""
