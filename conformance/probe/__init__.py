"""The probe: reads the GPUs of its machine or container through `pynvml` and prints them as JSON.

It runs in pods, on GPU hosts, and with the simulated `conformance.sim.nvml`. The program is the single file `read.py`,
which needs only `pynvml`, so it runs in every image with Python. Beside it `hold.py` keeps a device busy, and
`use.py` tries what a process there can do. `files`
returns what must be in their directory there.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

SCRIPT = "read.py"
"""Name of the file to run: `python3 read.py`."""
HOLDER = "hold.py"
"""Name of the program that keeps a device busy."""
TESTER = "use.py"
"""Name of the program that tries what a process on MIG devices can do."""


def files() -> Mapping[str, str]:
    """Return the texts of the programs and of `pynvml` by file name.

    Together they have about 350 kB and fit into a ConfigMap (1 MiB).

    Raises:
        ModuleNotFoundError: The package `nvidia-ml-py`, which contains `pynvml`, is not installed.
    """
    found = importlib.util.find_spec("pynvml")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("no module pynvml: install nvidia-ml-py")
    return {
        **{name: Path(__file__).with_name(name).read_text(encoding="utf-8") for name in (SCRIPT, HOLDER, TESTER)},
        "pynvml.py": Path(found.origin).read_text(encoding="utf-8"),
    }
