"""Reads the GPUs of wherever it runs through pynvml and prints JSON; works in a pod, on a GPU host and on `sim.nvml`.

`read.py` is one file that needs nothing but `pynvml`, so that it can be carried into any pod that has a Python: `files`
gives what has to lie side by side there.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

SCRIPT = "read.py"
"""The file to run: `python3 read.py`."""


def files() -> Mapping[str, str]:
    """Texts of the probe and of `pynvml` by file name, about 350 kB together: below what a ConfigMap may hold (1 MiB).

    Raises:
        ModuleNotFoundError: `nvidia-ml-py`, which brings `pynvml`, is not installed.
    """
    found = importlib.util.find_spec("pynvml")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("no module pynvml: install nvidia-ml-py")
    return {
        SCRIPT: Path(__file__).with_name(SCRIPT).read_text(encoding="utf-8"),
        "pynvml.py": Path(found.origin).read_text(encoding="utf-8"),
    }
