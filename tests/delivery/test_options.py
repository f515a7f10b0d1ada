"""`--results` and `--termination-log`: what they take."""

from __future__ import annotations

import pytest

from conformance.delivery.options import DeliveryOptions, Destination, Kind, destination
from conformance.flags import OptionError, read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("configmap/results", Destination(Kind.CONFIG_MAP, "results")),
        ("configmap/a.b-1", Destination(Kind.CONFIG_MAP, "a.b-1")),
        ("stdout", Destination(Kind.STDOUT)),
        ("sonobuoy", Destination(Kind.SONOBUOY)),
    ],
)
def test_places(text: str, expected: Destination) -> None:
    assert destination(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize("text", ["", "configmap", "configmap/", "stdout/x", "pvc/x"])
def test_other_places_are_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(OptionError, match=r"^--results takes configmap/NAME, stdout or sonobuoy, not "):
        read(DeliveryOptions, {"results": [text]})


@pytest.mark.parametrize("name", ["A", "Bad_Name", "a/b", "a..b", "-a", "a-", "a.-b", "a" * 254])
def test_a_name_that_no_config_map_can_have_is_refused_with_what_it_may_be_made_of(name: str) -> None:
    with pytest.raises(
        OptionError, match=r"^--results takes .* lower-case letters, digits, - and \. in the name, not "
    ):
        read(DeliveryOptions, {"results": [f"configmap/{name}"]})
