"""A seeded sample of `python tests/interruptions.py`, which tries a hundred points."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interruptions import Stage, problems, staged

SEED = 20261128
WRITES = 75
"""A run makes some more, the last of which put back what it changed."""
FIRST = 1
"""It asks for its rights; nothing has begun."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("cluster"), "core") as stage:
        yield stage


@pytest.fixture(scope="module")
def found(stage: Stage) -> dict[str, Any]:
    return stage.snapshot()


def points() -> list[tuple[str, int, float]]:
    chance = random.Random(SEED)  # noqa: S311 - chooses points, no secrets
    seeded = [(kind, chance.randint(1, WRITES), chance.uniform(0, 1)) for kind in ("KILL", "KILL", "TERM", "INT INT")]
    return [*seeded, ("INT", FIRST, 0.0)]


@pytest.mark.parametrize(("kind", "after", "pause"), points())
def test_an_interrupted_run_leaves_nothing(
    kind: str, after: int, pause: float, stage: Stage, found: dict[str, Any]
) -> None:
    _, wrong = problems(stage, kind, after, pause, found)

    assert wrong == []
