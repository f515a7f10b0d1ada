"""Form of the messages of failed checks."""

from __future__ import annotations

import pytest

from conformance.expect.compare import compare_mappings, compare_sequences
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.resources import check_resources
from conformance.spec.names import Strategy


def test_message_with_all_parts() -> None:
    context = CheckContext(
        ("D-06",),
        "sim-0",
        Strategy.SINGLE,
        "all-1g.10gb",
        timeline=lambda: ("success 2.1 s ago", "device plugin pod ...-x7k2p Ready 1.4 s ago"),
    )
    by_profile = {"nvidia.com/mig-1g.10gb": 56}

    with pytest.raises(ConformanceError) as failed:
        check_resources(context, by_profile, {"nvidia.com/gpu": 56}, other_strategy=by_profile)

    assert str(failed.value) == (
        "D-06 resources of node sim-0 under single, all-1g.10gb\n"
        "  expected    nvidia.com/gpu: 56\n"
        "  found       nvidia.com/mig-1g.10gb: 56\n"
        "  missing     nvidia.com/gpu          unexpected  nvidia.com/mig-1g.10gb\n"
        "  timeline    success 2.1 s ago; device plugin pod ...-x7k2p Ready 1.4 s ago\n"
        "  likely      the plugin still runs with MIG_STRATEGY=mixed (DaemonSet nvidia-device-plugin-daemonset)"
    )
    assert failed.value.finding.missing == ("nvidia.com/gpu",)


def test_each_item_has_a_line_and_empty_fields_say_nothing() -> None:
    context = CheckContext(("D-06", "D-09"), "n", Strategy.MIXED, "x", hints=lambda: ("first", "second"))
    finding = Finding(("a: 1", "b: 2"), (), ("a", "b"))

    assert str(ConformanceError(context, "things", finding)) == (
        "D-06 D-09 things of node n under mixed, x\n"
        "  expected    a: 1\n"
        "              b: 2\n"
        "  found       nothing\n"
        "  missing     a\n"
        "              b\n"
        "  likely      first\n"
        "              second"
    )


def test_the_timeline_is_asked_only_when_a_check_fails() -> None:
    def asked() -> list[str]:
        pytest.fail("the timeline is needed only when a check fails")

    check_resources(CheckContext(("D-06",), "n", Strategy.MIXED, "x", timeline=asked), {}, {})


def test_mappings_distinguish_a_missing_key_from_none() -> None:
    assert compare_mappings({"a": None}, {}) == Finding(("a: None",), (), ("a",), ())
    assert compare_mappings({"a": 1}, {"a": 1}) is None


def test_only_differences() -> None:
    finding = compare_mappings({"a": 1, "b": ""}, {"a": 1, "b": "x", "c": 2}, only_differences=True)

    assert finding == Finding(("b: ''",), ("b: x", "c: 2"), (), ("c",))


def test_sequences_are_compared_in_order() -> None:
    assert compare_sequences(["a", "b"], ("a", "b")) is None
    assert compare_sequences(["a", "b"], ["b", "a"]) == Finding(("a", "b"), ("b", "a"))
