"""Names of MIG profiles: parsing, formatting and resource names; anything else is rejected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from conformance.spec.profile import Profile, ProfileError

words = some.from_regex(r"[a-z]([a-z0-9.]{0,6}[a-z0-9])?", fullmatch=True)
attributes = some.lists(words, max_size=3, unique=True).map(tuple)
sizes = some.integers(min_value=0, max_value=300)


@some.composite
def profiles(draw: some.DrawFn) -> Profile:
    listed = draw(attributes)
    plus, minus = (listed, ()) if draw(some.booleans()) else ((), listed)
    return Profile(draw(sizes), draw(sizes), draw(sizes), plus, minus)


@given(profiles())
def test_every_profile_survives_the_round_trip(profile: Profile) -> None:
    assert Profile.parse(str(profile)) == profile


@given(profiles())
def test_the_resource_differs_only_in_the_plus(profile: Profile) -> None:
    assert profile.resource == "nvidia.com/mig-" + str(profile).replace("+", ".")
    assert "+" not in profile.suffix


@pytest.mark.parametrize(
    ("text", "profile", "resource"),
    [
        ("1g.10gb", Profile(1, 1, 10), "nvidia.com/mig-1g.10gb"),
        ("1c.3g.40gb", Profile(1, 3, 40), "nvidia.com/mig-1c.3g.40gb"),
        ("1g.10gb+me", Profile(1, 1, 10, ("me",)), "nvidia.com/mig-1g.10gb.me"),
        ("1g.24gb+me.all", Profile(1, 1, 24, ("me.all",)), "nvidia.com/mig-1g.24gb.me.all"),
        ("1g.24gb-me", Profile(1, 1, 24, (), ("me",)), "nvidia.com/mig-1g.24gb-me"),
        ("1g.24gb+gfx", Profile(1, 1, 24, ("gfx",)), "nvidia.com/mig-1g.24gb.gfx"),
        ("2g.48gb+me,gfx", Profile(2, 2, 48, ("me", "gfx")), "nvidia.com/mig-2g.48gb.me,gfx"),
    ],
)
def test_known_forms(text: str, profile: Profile, resource: str) -> None:
    assert Profile.parse(text) == profile
    assert str(profile) == text
    assert profile.resource == profile.label_prefix == resource


def test_a_full_compute_instance_is_written_without_it() -> None:
    profile = Profile.parse("7c.7g.80gb")

    assert str(profile) == "7g.80gb"
    assert profile.is_full
    assert not Profile.parse("1c.7g.80gb").is_full


def test_base_has_no_attributes() -> None:
    assert Profile.parse("1g.24gb-me").base == Profile.parse("1g.24gb+gfx").base == Profile(1, 1, 24)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "profile is the empty string"),
        ("1G.10GB", "missing 'g' from '%dg'"),
        ("1g", "1 of 2 or 3 fields"),
        ("1g.10", "missing 'gb' from '%dgb'"),
        ("1.10gb", "missing 'g' from '%dg'"),
        ("1g.2g.10gb", "missing 'c' from '%dc'"),
        ("1c.1g.10gb.4", "missing 'gb' from '%dgb'"),
        (" 1g.10gb", "malformed number in '%dg'"),
        ("1g.10gb ", "missing 'gb' from '%dgb'"),
        ("xg.10gb", "malformed number in '%dg'"),
        ("1g.²gb", "malformed number in '%dgb'"),
        ("1g.10gb+", "malformed attribute ''"),
        ("1g.10gb+4k", "malformed attribute '4k'"),
        ("1g.10gb+.me", "malformed attribute '.me'"),
        ("1g.10gb+me.", "malformed attribute 'me.'"),
        ("1g.10gb+me,me", "an attribute is given twice"),
        ("1g.10gb+me-gfx", "attributes of both signs"),
    ],
)
def test_errors_name_the_fault_and_the_expected_form(text: str, wrong: str) -> None:
    with pytest.raises(ProfileError) as refused:
        Profile.parse(text)

    assert wrong in str(refused.value)
    assert "expected [<C>c.]<G>g.<M>gb" in str(refused.value)


@given(some.text(max_size=20))
def test_any_text_is_rejected_or_has_a_canonical_form(text: str) -> None:
    try:
        profile = Profile.parse(text)
    except ProfileError:
        return
    assert Profile.parse(str(profile)) == profile
