"""Citations as links: an upstream file with its version, or an issue of an upstream repository."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_OWNERS: Final = {
    "gpu-operator": "NVIDIA",
    "mig-parted": "NVIDIA",
    "k8s-device-plugin": "NVIDIA",
    "kubernetes": "kubernetes",
}
_REPOSITORY: Final = f"(?P<repository>{'|'.join(_OWNERS)})"
_CITED: Final = re.compile(
    rf"(?<![\w./-]){_REPOSITORY} "
    r"(?:(?P<version>v\d+\.\d+(?:\.\d+)?), (?P<path>[\w-]+(?:/[\w-]+)+(?:\.\w+)?|[\w-]+\.\w+)|issue (?P<issue>\d+))"
)
_URL: Final = re.compile(r"https://[^\s<>\"']+[^\s<>\"'.,;:)]")


class Part(NamedTuple):
    """A piece of a citation; `url` is empty where there is nothing to open."""

    text: str
    url: str


def linked(source: str) -> Iterator[Part]:
    """Split a citation into pieces that together are its text."""
    at = 0
    for match in re.finditer(f"{_CITED.pattern}|(?P<url>{_URL.pattern})", source):
        if before := source[at : match.start()]:
            yield Part(before, "")
        yield Part(match.group(), _url(match))
        at = match.end()
    if rest := source[at:]:
        yield Part(rest, "")


def _url(match: re.Match[str]) -> str:
    if url := match["url"]:
        return str(url)
    home = f"https://github.com/{_OWNERS[match['repository']]}/{match['repository']}"
    if issue := match["issue"]:
        return f"{home}/issues/{issue}"
    version, path = match["version"], match["path"]
    tag = version.replace("v", "release-") if version.count(".") == 1 else version
    return f"{home}/tree/{tag}/{path}"
