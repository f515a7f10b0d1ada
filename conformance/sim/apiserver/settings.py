"""What can be set about the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Settings of one server. The defaults are those of a real one, but for the bounded history.

    Attributes:
        history: Changes that are kept of each resource; a watch that resumes from before them gets 410.
        shortest_watch_seconds: A watch without a timeout of its own lasts between this and twice this; real seconds.
        longest_watch_seconds: No watch lasts longer, whatever it asks for; real seconds. Small values make clients
            resume often.
        bookmark_seconds: Real seconds between the bookmarks of one watch.
    """

    history: int = 2000
    shortest_watch_seconds: float = 1800
    longest_watch_seconds: float = float("inf")
    bookmark_seconds: float = 60
