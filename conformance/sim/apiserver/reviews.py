"""Questions about identity and access. Every known user may do everything, as members of `system:masters` may."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from conformance.sim.apiserver.access import Access
from conformance.sim.apiserver.answers import media_of, value_answer
from conformance.sim.apiserver.bodies import read_object
from conformance.sim.apiserver.errors import method_not_allowed
from conformance.sim.apiserver.objects import Object, look
from conformance.sim.apiserver.target import Target

_MASTERS = ["system:masters", "system:authenticated"]
_EVERYTHING = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}


async def review(request: web.BaseRequest, target: Target, user: str, access: Access) -> web.Response:
    """Answer a review, which is a POST of the question; raises ApiError (405) for other verbs."""
    if request.method != "POST":
        raise method_not_allowed()
    body = read_object(await request.read(), media_of(request))
    resource = target.served.resource
    head = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {}}
    answer = {**head, "spec": body.get("spec") or {}, "status": _status(resource.kind, body, user, access)}
    return value_answer(answer, HTTPStatus.CREATED)


def _status(kind: str, body: Object, user: str, access: Access) -> Object:
    if kind == "SelfSubjectReview":
        return {"userInfo": {"username": user, "groups": _MASTERS}}
    if kind == "SelfSubjectRulesReview":
        return _EVERYTHING
    if kind == "TokenReview":
        known = access.users.get(look(body, "spec", "token", default=""))
        return {"authenticated": True, "user": {"username": known}} if known else {"authenticated": False}
    return {"allowed": True}
