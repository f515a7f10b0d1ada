"""Authentication and authorization: certificate, tokens, the kubeconfig with both, and review resources.

Every known user may do everything, like members of `system:masters`, except what `deny` took from it.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import ssl
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import trustme
import yaml
from aiohttp import web

from conformance.sim.apiserver.errors import denied, method_not_allowed, unauthorized
from conformance.sim.apiserver.objects import Object, look
from conformance.sim.apiserver.web.answers import value_answer
from conformance.sim.apiserver.web.request import Target, flag, media_of, read_object

HOST = "127.0.0.1"
ADMIN = "simulated-admin"
_CONTEXT = "mig-sim"
_VERBS = {"POST": "create", "PUT": "update", "HEAD": "get"}
_MASTERS = ["system:masters", "system:authenticated"]
_EVERYTHING = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}


@dataclass(frozen=True)
class Right:
    """One verb on one kind of resource, in all namespaces.

    Attributes:
        verb: The verb of RBAC.
        resource: Resource in the plural, with its subresource: `pods/log`.
        group: API group; empty for the core group.
    """

    verb: str
    resource: str
    group: str = ""

    @classmethod
    def of(cls, request: web.BaseRequest, target: Target) -> Right:
        """Return the right that a request needs (k8s.io/apiserver pkg/endpoints/request/requestinfo.go v0.36)."""
        verb = _VERBS.get(request.method, request.method.lower())
        if verb == "get" and not target.name:
            verb = "list"
        if verb in ("get", "list") and not target.subresource and flag(request.query, "watch"):
            verb = "watch"
        if verb == "delete" and not target.name:
            verb = "deletecollection"
        resource = target.served.resource
        return cls(verb, "/".join(filter(None, (resource.plural, target.subresource))), resource.group)


@dataclass
class Access:
    """The server's certificate authority and the tokens that it accepts.

    Attributes:
        authority: Signs the server's certificate.
        users: User name by token.
    """

    authority: trustme.CA = field(default_factory=trustme.CA)
    users: dict[str, str] = field(default_factory=dict)
    _denied: dict[str, set[Right]] = field(default_factory=dict)
    _admin_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def __post_init__(self) -> None:
        self.users[self._admin_token] = ADMIN

    @property
    def certificate(self) -> str:
        """Certificate of the authority (PEM)."""
        return self.authority.cert_pem.bytes().decode()

    @property
    def credentials(self) -> dict[str, str]:
        """Headers of a request by the administrator."""
        return {"Authorization": f"Bearer {self._admin_token}"}

    def ssl_context(self) -> ssl.SSLContext:
        """Return the TLS settings of the server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(HOST, "localhost", "kubernetes.default.svc").configure_cert(context)
        return context

    def user_of(self, request: web.BaseRequest) -> str:
        """Return the user of a request; raises ApiError (401) if the token is missing or unknown."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            for known, user in self.users.items():
                if hmac.compare_digest(known.encode(), token.encode()):
                    return user
        raise unauthorized()

    def deny(self, user: str, right: Right) -> None:
        """Take a right from a user."""
        self._denied.setdefault(user, set()).add(right)

    def may(self, user: str, right: Right) -> bool:
        """Whether a user has a right."""
        return right not in self._denied.get(user, ())

    def check(self, user: str, request: web.BaseRequest, target: Target) -> None:
        """Raise ApiError (403), worded as RBAC does, if a user may not make a request."""
        right = Right.of(request, target)
        if not self.may(user, right):
            where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
            why = f'User "{user}" cannot {right.verb} resource "{right.resource}" in API group "{right.group}" {where}'
            raise denied(target.served.resource.plural, right.group, target.name, why)

    def new_token(self, user: str) -> str:
        """Return a new token for a user."""
        token = secrets.token_urlsafe(24)
        self.users[token] = user
        return token

    def write_kubeconfig(self, path: Path, url: str) -> None:
        """Write a kubeconfig with the administrator's token; readable by its owner only."""
        authority = base64.b64encode(self.authority.cert_pem.bytes()).decode()
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": _CONTEXT, "cluster": {"server": url, "certificate-authority-data": authority}}],
            "users": [{"name": ADMIN, "user": {"token": self._admin_token}}],
            "contexts": [{"name": _CONTEXT, "context": {"cluster": _CONTEXT, "user": ADMIN}}],
            "current-context": _CONTEXT,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


async def review(request: web.BaseRequest, target: Target, user: str, access: Access) -> web.Response:
    """Handle the creation of a review object; raises ApiError (405) for other verbs."""
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
    asked = look(body, "spec", "resourceAttributes", default={})
    resource = "/".join(filter(None, (asked.get("resource"), asked.get("subresource"))))
    about = look(body, "spec", "user", default=user) if kind == "SubjectAccessReview" else user
    return {"allowed": access.may(about, Right(asked.get("verb", ""), resource, asked.get("group", "")))}
