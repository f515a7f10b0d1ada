from __future__ import annotations

from conformance.spec.requirements import RELATED, REQUIREMENTS


def test_related_requirements_name_requirements_of_ours_and_their_source() -> None:
    assert [one.id for one in RELATED] == sorted({one.id for one in RELATED})
    assert {name for one in RELATED for name in one.requirements} <= REQUIREMENTS.keys()
    assert all(one.source and one.title and one.requirements for one in RELATED)


def test_both_strategies_of_the_self_certification_have_their_resources() -> None:
    names = {one.id: one.requirements for one in RELATED}

    assert "D-06" in names["GPUOP-04"]
    assert "D-07" in names["GPUOP-05"]
