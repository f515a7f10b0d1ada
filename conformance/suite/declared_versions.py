"""Reads the file of `--declared-versions`: Helm values of the GPU Operator, or the spec of a ClusterPolicy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from conformance.cluster.errors import ClusterError
from conformance.expect.versions import COMPONENTS, Declared, read_declarations
from conformance.flags import flag, path, why_unreadable

DECLARED_VERSIONS: Final = flag(
    "--declared-versions",
    metavar="FILE",
    read=lambda text: load_declared(path(text)),
    help="Helm values of the GPU Operator; the images that run are compared with these as well",
    default="compare with the ClusterPolicy alone",
)


def load_declared(file: Path) -> Mapping[str, Declared]:
    """Return what a YAML file declares, by component.

    Raises:
        ClusterError: The file cannot be read, or declares the version of no component; the message says what is valid.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ClusterError(f"cannot read declared versions from {file}: {why_unreadable(error)}") from error
    values = content if isinstance(content, Mapping) else {}
    if values.get("kind") == "ClusterPolicy":
        values = values.get("spec") or {}
    found = read_declarations(values)
    if not found:
        raise ClusterError(
            f"{file} declares no version: expected Helm values of the GPU Operator with `version` under one of "
            f"{', '.join(COMPONENTS)}"
        )
    return found
