"""The report folder as one compressed tar file: in the log, or for Sonobuoy."""

from __future__ import annotations

import base64
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

BEGIN: Final = "-----BEGIN MIG CONFORMANCE RESULTS-----"
END: Final = "-----END MIG CONFORMANCE RESULTS-----"
_WIDTH: Final = 76
SONOBUOY_VARIABLE: Final = "SONOBUOY_RESULTS_DIR"
SONOBUOY_FOLDER: Final = "/tmp/sonobuoy/results"  # noqa: S108 - where Sonobuoy's worker looks
"""Source: Sonobuoy documentation, "Sonobuoy Plugins": the file `done` names the results."""


def pack(folder: Path) -> bytes:
    """Return the folder as a tar.gz with one folder `reports`; files that are links to elsewhere are left out."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        archive.add(folder, arcname="reports", filter=lambda one: one if one.isfile() or one.isdir() else None)
    return content.getvalue()


def lines(folder: Path) -> Iterator[str]:
    """Yield the folder as lines for a log, between two lines that mark it."""
    text = base64.b64encode(pack(folder)).decode("ascii")
    yield BEGIN
    for start in range(0, len(text), _WIDTH):
        yield text[start : start + _WIDTH]
    yield END


def hand_to_sonobuoy(folder: Path) -> Path:
    """Write the folder where Sonobuoy's worker looks for results, then tell it so; returns the path of the file.

    Raises:
        OSError: The results folder cannot be written.
    """
    results = Path(os.environ.get(SONOBUOY_VARIABLE) or SONOBUOY_FOLDER)
    results.mkdir(parents=True, exist_ok=True)
    file = results / "results.tar.gz"
    file.write_bytes(pack(folder))
    (results / "done").write_text(str(file), encoding="utf-8")
    return file
