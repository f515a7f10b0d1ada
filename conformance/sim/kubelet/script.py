"""Python scripts in mounted ConfigMaps, such as the suite's probe.

The script runs in this process, with its own `sys` and with the container's NVML as `pynvml`. It is trusted
like the suite itself: on a simulated cluster, the author of the ConfigMap also started the simulation.
"""

from __future__ import annotations

import builtins
import io
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from types import CodeType, ModuleType
from typing import Any

from conformance.sim.container import Container
from conformance.sim.kubelet import cuda_user, holder
from conformance.sim.nvml import Nvml


async def python(container: Container) -> int:
    """Run `python3 SCRIPT [ARGUMENT...]`; the script must be a mounted file."""
    path = container.command[1] if len(container.command) > 1 else ""
    source = container.files(path)
    if source is None:
        container.log(f"python3: can't open file '{path}': [Errno 2] No such file or directory")
        return 2
    if PurePosixPath(path).name == holder.SCRIPT:
        return await holder.hold(container)
    if PurePosixPath(path).name == cuda_user.SCRIPT:
        return cuda_user.answer(container)
    output = io.StringIO()
    try:
        return run_script(source, container.command[1:], Nvml(container.node.hardware, container.visible), output)
    finally:
        if written := output.getvalue():
            container.log(written)


def run_script(source: str, argv: Sequence[str], nvml: Nvml, output: io.StringIO) -> int:
    """Run a script as `__main__` and return its exit code; `output` receives stdout and stderr."""
    own_sys = _own_sys(argv, output)

    def import_module(name: str, *details: Any) -> Any:
        replaced: Mapping[str, Any] = {"pynvml": nvml, "sys": own_sys}
        return replaced[name] if name in replaced else __import__(name, *details)

    def write(*values: object, sep: str = " ", end: str = "\n", **_: object) -> None:
        output.write(sep.join(str(value) for value in values) + end)

    own_builtins = vars(builtins) | {"__import__": import_module, "print": write}
    scope = {"__name__": "__main__", "__file__": argv[0], "__builtins__": own_builtins}
    try:
        exec(_compiled(source, argv[0]), scope)  # noqa: S102 - see the module's docstring
    except SystemExit as ended:
        return _exit_code(ended.code, output)
    except Exception:  # noqa: BLE001 - like the interpreter: print the traceback and exit with 1
        output.write(traceback.format_exc())
        return 1
    return 0


@lru_cache(maxsize=8)
def _compiled(source: str, path: str) -> CodeType:
    return compile(source, path, "exec", dont_inherit=True)


def _own_sys(argv: Sequence[str], output: io.StringIO) -> ModuleType:
    own = ModuleType("sys")
    vars(own).update(vars(sys) | {"argv": list(argv), "stdout": output, "stderr": output})
    return own


def _exit_code(code: object, output: io.StringIO) -> int:
    """Return the exit code of `sys.exit`: None means 0; a text is printed and means 1."""
    if code is None or isinstance(code, int):
        return code or 0
    output.write(f"{code}\n")
    return 1
