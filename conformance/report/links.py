"""Turns the sources that a rule names into links to the public repositories."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_HOMES: Final = {
    "gpu-operator": "https://github.com/NVIDIA/gpu-operator",
    "k8s-device-plugin": "https://github.com/NVIDIA/k8s-device-plugin",
    "mig-parted": "https://github.com/NVIDIA/mig-parted",
    "kubernetes": "https://github.com/kubernetes/kubernetes",
}
"""Repository by the name under which a source cites it."""
_NAMES: Final = "|".join(_HOMES)
_FILE: Final = re.compile(rf"\b({_NAMES}) (v\d+\.\d+\.\d+), ([\w./-]*\w)", re.IGNORECASE)
_ISSUE: Final = re.compile(rf"\b({_NAMES}) issues? (\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class SourceLink:
    """One link.

    Attributes:
        name: What it leads to, for a reader.
        url: Its address.
        is_issue: Whether it leads to an issue.
    """

    name: str
    url: str
    is_issue: bool = False


def source_links(*sources: str) -> list[SourceLink]:
    """Return the links of some sources, each once, in their order; what is not in a public repository has none."""
    found = []
    for source in sources:
        for name, version, path in _FILE.findall(source):
            found.append(SourceLink(f"{name} {version}, {path}", f"{_HOMES[name.lower()]}/tree/{version}/{path}"))
        for name, number in _ISSUE.findall(source):
            found.append(SourceLink(f"{name} issue {number}", f"{_HOMES[name.lower()]}/issues/{number}", is_issue=True))
    return list(dict.fromkeys(found))
