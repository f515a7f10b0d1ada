"""Stretches of a timeline: what was so, from when until when."""

from __future__ import annotations

from conformance.report.html.timeline import Group, Stretch, stretches
from conformance.report.observations import Stay, TimelineEntry

STATE = "nvidia.com/mig.config.state"


def entry(time: float, kind: str, subject: str = "x", /, **values: str | int | None) -> TimelineEntry:
    return TimelineEntry(time=time, kind=kind, subject=subject, change=f"at {time}", values=values)


def told(found: list[Stretch]) -> list[tuple[str, float, float | None, str, str]]:
    return [(one.lane, one.start, one.end, one.text, one.tone) for one in found]


def test_a_value_lasts_until_the_next_one_and_the_last_one_until_the_end() -> None:
    entries = [entry(1, "labels", **{STATE: "pending"}), entry(3, "labels", **{STATE: "failed"}), entry(9, "node")]

    assert told(stretches(entries, []))[:2] == [
        ("mig.config.state", 1, 3, "pending", "busy"),
        ("mig.config.state", 3, 9, "failed", "bad"),
    ]


def test_a_value_that_is_gone_leaves_a_gap() -> None:
    entries = [
        entry(1, "labels", **{STATE: "success"}),
        entry(2, "labels", **{STATE: None}),
        entry(5, "labels", **{STATE: "success"}),
        entry(6, "labels", **{STATE: "success"}),
    ]

    assert [(one.start, one.end) for one in stretches(entries, [])] == [(1, 2), (5, 6), (6, 6)]


def test_labels_resources_and_fields_have_lanes_of_their_own() -> None:
    entries = [
        entry(1, "labels", **{"nvidia.com/gpu.deploy.dcgm": "paused-for-mig-change"}),
        entry(2, "resource", **{"allocatable nvidia.com/gpu": 0}),
        entry(3, "resource", **{"capacity nvidia.com/gpu": 7}),
        entry(4, "node", unschedulable="True"),
        entry(5, "labels"),
    ]

    assert [(one.group, one.lane, one.text, one.tone) for one in stretches(entries, [])] == [
        (Group.DEPLOY, "dcgm", "paused", "busy"),
        (Group.ALLOCATABLE, "nvidia.com/gpu", "0", "off"),
        (Group.CAPACITY, "nvidia.com/gpu", "7", "plain"),
        (Group.NODE, "unschedulable", "true", "busy"),
        (Group.OTHER, "other labels", "changed", "plain"),
    ]


def test_each_pod_of_an_operand_has_its_own_life_in_one_lane() -> None:
    entries = [
        entry(1, "pod", "gpu-operator/dcgm-a", dcgm="ready"),
        entry(2, "pod", "gpu-operator/dcgm-a", dcgm="terminating"),
        entry(3, "pod", "gpu-operator/dcgm-b", dcgm="appeared"),
        entry(4, "pod", "gpu-operator/dcgm-a", dcgm="gone"),
        entry(5, "pod", "gpu-operator/dcgm-b", dcgm="restarted"),
        entry(8, "pod", "gpu-operator/dcgm-b", dcgm="ready"),
    ]

    assert told(stretches(entries, [])) == [
        ("dcgm", 1, 2, "ready", "good"),
        ("dcgm", 2, 4, "terminating", "off"),
        ("dcgm", 3, 8, "starting", "busy"),
        ("dcgm", 5, None, "restarted", "bad"),
        ("dcgm", 8, 8, "ready", "good"),
    ]


def test_pods_without_the_label_app_share_a_lane() -> None:
    (one,) = stretches([entry(1, "pod", "default/web", web="ready")], [])

    assert (one.group, one.lane, one.detail) == (Group.WORKLOAD, "other pods", "at 1")


def test_cells_are_stretches() -> None:
    stays = [Stay(start=0, end=4, strategy="single", configuration="")]

    assert told(stretches([], stays)) == [("cell", 0, 4, "single, no label", "plain")]
