"""How many devices the pod takes that tries to leave its slice."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.suite.scenarios.full_node import _tested


@pytest.mark.parametrize(
    ("on_each_gpu", "taken"),
    [
        ([7, 7], 2),
        ([3, 3], 2),
        ([2, 2], 3),
        ([2, 2, 2, 2], 3),
        ([1, 1, 1, 1], 2),
        ([2, 3], 4),
        ([4], 2),
        ([7, 2], 3),
        ([2, 2, 1], 2),
    ],
)
def test_the_tester_shares_a_gpu_whichever_devices_it_gets(on_each_gpu: list[int], taken: int) -> None:
    assert _tested(on_each_gpu) == taken


@given(st.lists(st.integers(0, 7), min_size=1, max_size=8).filter(lambda counts: sum(counts) >= 4))
def test_it_is_never_all_of_some_gpus_where_that_can_be_avoided(on_each_gpu: list[int]) -> None:
    total = sum(on_each_gpu)
    whole = {sum(some) for size in range(len(on_each_gpu) + 1) for some in combinations(on_each_gpu, size)}

    tested = _tested(on_each_gpu)

    assert 2 <= tested < total
    assert tested not in whole or whole >= set(range(2, total))
