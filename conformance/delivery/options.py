"""The options for results that must outlive the pod of a run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from conformance.flags import flag, path

_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
"""Name of a ConfigMap. Source: Kubernetes documentation, "Object Names and IDs"."""


class Kind(StrEnum):
    """Where results can go."""

    CONFIG_MAP = "configmap"
    """Verdict, reasons and summary go to a ConfigMap in the namespace of the suite."""
    STDOUT = "stdout"
    """The report folder goes to the end of the log, as a compressed tar file in base64."""
    SONOBUOY = "sonobuoy"
    """The report folder goes to Sonobuoy's results folder, with the file that tells its worker so."""


@dataclass(frozen=True)
class Destination:
    """One place for results.

    Attributes:
        kind: What it is.
        name: Name of the ConfigMap; empty for other kinds.
    """

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}" if self.name else str(self.kind)


def destination(text: str) -> Destination:
    """Read `configmap/NAME`, `stdout` or `sonobuoy`.

    Raises:
        ValueError: It is none of them.
    """
    kind, _, name = text.partition("/")
    if text in (Kind.STDOUT, Kind.SONOBUOY):
        return Destination(Kind(text))
    if kind == Kind.CONFIG_MAP and _NAME.fullmatch(name):
        return Destination(Kind.CONFIG_MAP, name)
    if kind == Kind.CONFIG_MAP and name:
        raise ValueError(f"takes configmap/NAME with lower-case letters, digits, - and . in the name, not {text}")
    raise ValueError(f"takes configmap/NAME, stdout or sonobuoy, not {text}")


@dataclass(frozen=True)
class DeliveryOptions:
    """What becomes of the results after a run.

    Attributes:
        results: Where they go, beside the report folder; empty for nowhere.
        termination_log: File for the verdict in one line, which kubelet copies into the status of the pod; None for
            none.
    """

    results: tuple[Destination, ...] = field(
        default=(),
        metadata=flag(
            "--results",
            metavar="PLACE",
            read=destination,
            help="where results go beside the report folder: configmap/NAME in the namespace of the suite, stdout (the "
            "folder as tar.gz in base64), or sonobuoy",
        ),
    )
    termination_log: Path | None = field(
        default=None,
        metadata=flag(
            "--termination-log",
            metavar="FILE",
            read=path,
            help="write the verdict to this file, for the termination message of a pod",
            default="none",
        ),
    )
