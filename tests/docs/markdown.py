"""Reads Markdown as GitHub does, as far as links need it."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """Every page of the project that people read."""
    folders = ("", "docs", "docs/decisions", "docs/reference", "reports", "tests/recordings", ".github")
    return sorted(path for folder in folders for path in (ROOT / folder).glob("*.md"))


def text(page: Path) -> str:
    """The page without its blocks of code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Anchors of the headings of a page; a heading that comes again has a number."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(text(page)):
        name = slug(heading)
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return frozenset(found)


def slug(heading: str) -> str:
    """The anchor of a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


def links(page: Path) -> list[str]:
    """Targets of links that lead to other files of the project or inside the page."""
    return [target for target in _LINK.findall(text(page)) if "://" not in target and not target.startswith("mailto:")]


def leads_nowhere(target: str, base: Path, page: Path | None = None) -> bool:
    """Whether a file, or the anchor in it, does not exist; `page` is what an anchor alone means."""
    name, _, anchor = target.partition("#")
    path = (base / name) if name or page is None else page
    if not path.exists():
        return True
    return bool(anchor) and anchor not in anchors(path)
