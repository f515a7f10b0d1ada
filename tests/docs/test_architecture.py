"""The diagrams of docs/architecture.md are those of the import-linter contracts."""

import pytest

from tools import architecture


def test_diagrams_are_current() -> None:
    page = architecture.PAGE.read_text(encoding="utf-8")

    assert page == architecture.inserted(page), f"run `{architecture.COMMAND}`"


def test_every_room_is_drawn() -> None:
    rooms = {
        path.name
        for path in (architecture.ROOT / "conformance").iterdir()
        if path.is_dir() and (path / "__init__.py").exists()
    }

    assert [room for room in sorted(rooms) if f'["{room}"]' not in architecture.render()] == []


def test_a_page_without_the_comments_is_refused() -> None:
    with pytest.raises(architecture.PageError, match="lacks the line"):
        architecture.inserted("# Architecture\n")
