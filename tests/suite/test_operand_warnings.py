"""The warnings about operands: since each pod is Ready, and read with one request for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import pytest

from conformance.cluster import paths
from conformance.cluster.errors import ApiError, DeniedError
from conformance.cluster.pod_view import PodView
from conformance.spec.names import OPERATOR_NAMESPACE
from conformance.suite.operand_warnings import OperandWarnings
from tests.suite.memory import Memory, Raw

READY = {
    "phase": "Running",
    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-24T12:00:00Z"}],
}


class Asked(list[Mapping[str, str] | None]):
    """Stands for the requests for Events, and keeps their queries."""

    def __init__(self, memory: Memory, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
        super().__init__()
        others = memory.list

        def answer(path: str, query: Mapping[str, str] | None = None) -> list[Raw]:
            if path != paths.events(OPERATOR_NAMESPACE):
                return others(path, query)
            self.append(query)
            if error is not None:
                raise error
            return [raw for uid in ("uid-a", "uid-b") for raw in _events(uid)]

        monkeypatch.setattr(memory, "list", answer)


def _events(uid: str) -> list[Raw]:
    def event(at: str, reason: str) -> dict[str, Any]:
        return {"involvedObject": {"uid": uid}, "lastTimestamp": at, "reason": reason, "message": f"of {uid}"}

    return [event("2026-11-24T12:00:02Z", "Unhealthy"), event("2026-11-24T11:59:59Z", "BackOff")]


def pod(memory: Memory, name: str, status: Raw) -> PodView:
    memory.pod(name, status=status)
    memory.put(
        paths.pod(OPERATOR_NAMESPACE, name),
        memory.get(paths.pod(OPERATOR_NAMESPACE, name)) | {"metadata": {"uid": f"uid-{name}"}},
    )
    found = memory.cluster.pod(name, OPERATOR_NAMESPACE)
    assert found is not None
    return found


def test_those_since_the_pod_is_ready_or_all_if_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    Asked(memory, monkeypatch)
    warnings = OperandWarnings(memory.cluster)

    assert warnings.about(pod(memory, "a", READY)) == ["Unhealthy: of uid-a"]
    assert warnings.about(pod(memory, "b", {"phase": "Pending"})) == ["BackOff: of uid-b", "Unhealthy: of uid-b"]
    assert warnings.about(pod(memory, "c", READY)) == []


def test_one_request_answers_for_all_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    asked = Asked(memory, monkeypatch)
    warnings = OperandWarnings(memory.cluster)

    for name in "ab":
        warnings.about(pod(memory, name, READY))

    assert asked == [{"fieldSelector": "involvedObject.kind=Pod,type=Warning"}]


def test_without_the_right_to_read_events_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    Asked(memory, monkeypatch, DeniedError("GET events", HTTPStatus.FORBIDDEN, "Forbidden", "no"))

    assert OperandWarnings(memory.cluster).about(pod(memory, "a", READY)) == []


def test_a_server_that_did_not_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    error = ApiError("GET events", HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", "later")
    asked = Asked(memory, monkeypatch, error)
    warnings = OperandWarnings(memory.cluster)

    for _ in range(2):
        with pytest.raises(ApiError):
            warnings.about(pod(memory, "a", READY))

    assert len(asked) == 2
