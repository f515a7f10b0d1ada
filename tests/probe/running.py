"""Runs the probe on a simulated node."""

from __future__ import annotations

import builtins
import contextlib
import io
import json
from typing import Any

import conformance.probe
from conformance.sim.hardware import NodeHardware
from conformance.sim.nvml import Nvml


def run_probe(hardware: NodeHardware, visible: frozenset[str] | None = None) -> dict[str, Any]:
    """Run `read.py` alone with the simulated NVML as `pynvml`, as the pods of the simulated cluster do."""
    nvml = Nvml(hardware, visible)

    def import_module(name: str, *rest: Any) -> Any:
        return nvml if name == "pynvml" else __import__(name, *rest)

    namespace = {"__name__": "__main__", "__builtins__": {**vars(builtins), "__import__": import_module}}
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        exec(compile(conformance.probe.files()["read.py"], "read.py", "exec"), namespace)  # noqa: S102 - the probe
    answer = json.loads(output.getvalue())
    assert isinstance(answer, dict)
    return answer
