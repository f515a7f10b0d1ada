"""Somebody writes to an object between the moment when the suite reads it and its own write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conformance.cluster import paths
from conformance.operations.errors import ForeignChangeError, NodeLostError
from conformance.operations.fields import Field, annotation, config_map_key, cordon, label, look_up, policy_field
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.restored import RestoreOutcome
from conformance.operations.safekeeping import Safekeeping
from conformance.spec.names import MIG_CONFIG, OPERATOR_NAMESPACE
from tests.cluster.stand import Stand

STRATEGY = policy_field("cluster-policy", "mig", "strategy")
FILE = config_map_key(OPERATOR_NAMESPACE, "mine", "config.yaml")
FIELDS = pytest.mark.parametrize(
    ("field", "ours", "theirs"),
    [
        (label("a", MIG_CONFIG), "all-1g.10gb", "all-balanced"),
        (label("a", "tier"), "ours", "theirs"),
        (annotation("a", "example.com/x"), "ours", "theirs"),
        (STRATEGY, "mixed", "none"),
        (FILE, "ours", "theirs"),
    ],
    ids=str,
)


@pytest.fixture
def mine(stand: Stand, cluster: MigCluster) -> MigCluster:
    body = {"metadata": {"name": "mine"}, "data": {"config.yaml": "found"}}
    stand.hand.create(paths.config_maps(OPERATOR_NAMESPACE), body)
    return cluster


def after_reading(
    monkeypatch: pytest.MonkeyPatch, cluster: MigCluster, path: str, act: Callable[[], object], times: int = 3
) -> None:
    """Act each time when the suite has just read an object, the first times."""
    read, left = cluster.transport.get, iter(range(times))

    def get(at: str, *rest: Any) -> dict[str, Any]:
        found = read(at, *rest)
        if at == path and next(left, None) is not None:
            act()
        return found

    monkeypatch.setattr(cluster.transport, "get", get)


def patch_of(field: Field, value: object) -> dict[str, Any]:
    for key in reversed(field.keys):
        value = {key: value}
    assert isinstance(value, dict)
    return value


@FIELDS
def test_a_write_to_another_field_is_kept(
    field: Field, ours: str, theirs: str, stand: Stand, mine: MigCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def annotate() -> None:
        written.append(f"{theirs}-{len(written)}")
        stand.hand.patch(field.object, {"metadata": {"annotations": {"example.com/theirs": written[-1]}}})

    keeping = Safekeeping(mine, "run-1")
    with keeping:
        after_reading(monkeypatch, mine, field.object, annotate)
        mine.change(field, ours)
        after_reading(monkeypatch, mine, field.object, annotate)

    found = stand.hand.get(field.object)
    assert len(written) > 1
    assert found["metadata"]["annotations"]["example.com/theirs"] == written[-1]
    assert keeping.report is not None
    assert keeping.report.changed_since == ()
    if field.label != MIG_CONFIG:  # here is no mig-manager that answers
        assert (keeping.report.outcome, keeping.report.differences) == (RestoreOutcome.EXACT, ())


@FIELDS
def test_a_write_to_the_same_field_is_not_overwritten(
    field: Field, ours: str, theirs: str, stand: Stand, mine: MigCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = Safekeeping(mine, "run-1")
    with keeping:
        mine.change(field, ours)
        after_reading(
            monkeypatch, mine, field.object, lambda: stand.hand.patch(field.object, patch_of(field, theirs)), times=1
        )
        with pytest.raises((ForeignChangeError, NodeLostError), match=f"{ours} -> {theirs}"):
            mine.change(field, f"{ours}-again")

    assert look_up(stand.hand.get(field.object), field.keys) == theirs
    assert keeping.report is not None
    assert len(keeping.report.changed_since) == 1


@FIELDS
def test_a_write_to_the_same_field_during_the_restore_stays(
    field: Field, ours: str, theirs: str, stand: Stand, mine: MigCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The restore has compared the object, and reads it again to write it."""
    if field.label == MIG_CONFIG:
        pytest.skip("the restore asks mig-manager for it; tests/fixtures does this to a whole run")
    acted = iter(range(1))
    patch = mine.patch

    def patched(path: str, *rest: Any) -> Any:
        if path == field.object and next(acted, None) is not None:
            stand.hand.patch(field.object, patch_of(field, theirs))
        return patch(path, *rest)

    keeping = Safekeeping(mine, "run-1")
    with keeping:
        mine.change(field, ours)
        monkeypatch.setattr(mine, "patch", patched)

    assert look_up(stand.hand.get(field.object), field.keys) == theirs
    assert keeping.report is not None
    assert keeping.report.outcome is RestoreOutcome.EXACT, keeping.report
    assert len(keeping.report.changed_since) == 1


def test_a_cordon_of_somebody_else_at_the_same_moment_is_one(
    stand: Stand, cluster: MigCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not there when the suite read the node, and was when it cordoned it: it is found, and stays."""
    keeping = Safekeeping(cluster, "run-1")
    with keeping:
        after_reading(
            monkeypatch,
            cluster,
            paths.node("a"),
            lambda: stand.hand.patch(paths.node("a"), {"spec": {"unschedulable": True}}),
            times=1,
        )
        cluster.change(cordon("a"), True)

    assert look_up(stand.hand.get(paths.node("a")), cordon("a").keys) is True
