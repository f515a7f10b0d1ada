"""JSON requests through the official client, which handles contexts, exec plug-ins, proxies, TLS and tokens.

Requests and answers are raw dictionaries. The client's model classes take many times longer than the requests, reject
integer quantities and fail on answers of kind Status (docs/reference/platform.md#python-client).
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, cast

import tenacity
import urllib3
from kubernetes import client as kubernetes_client

from conformance.cluster import in_flight
from conformance.cluster.errors import AccessLostError, ApiError, ClusterError, DeniedError, UnreachableError
from conformance.cluster.limits import Limits
from conformance.cluster.patience import Patience
from conformance.cluster.stream import Stream

USER_AGENT = "mig-conformance"
FIELD_MANAGER = "mig-conformance"

CONNECTIONS = 16
"""Maximum number of concurrent requests: enough for many nodes, without overloading an API server that others use."""
WATCHES = 4
"""Additional connections, held by the watches."""
PAGE = "500"
"""Maximum number of objects in one page of a list."""
_VERBS = {"POST": "create", "PUT": "update"}
_COLLECTIONS = ("nodes", "pods", "daemonsets", "clusterpolicies", "configmaps", "events", "leases", "namespaces")

_DENIALS: Mapping[int, type[ApiError]] = {401: AccessLostError, 403: DeniedError}

_BUSY = (429, 502, 503, 504)
"""Answers of a server, or of a load balancer before it, that cannot answer at the moment."""

Body = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class PatchKind(StrEnum):
    """Kind of a patch; the value is its content type."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"


class Transport:
    """Requests to one API server with one identity. Safe to use from several threads.

    Attributes:
        configuration: Configuration of the Kubernetes client; `execute` creates its own clients from it.
        limits: Time limits.
        manager: Field manager of writes.
        requests: Number of requests sent so far, by RBAC verb (get, list, watch, create, ...).
        patience: How long requests are sent again while the server does not answer.
    """

    def __init__(self, configuration: Any, limits: Limits) -> None:
        self.configuration = configuration
        self.limits = limits
        self.manager = FIELD_MANAGER
        self.requests: Counter[str] = Counter()
        self.patience = Patience(limits.unreachable, limits.connect)
        self._counting = threading.Lock()
        self._at_once = threading.BoundedSemaphore(CONNECTIONS)
        self._date = ""
        self._client = kubernetes_client.ApiClient(configuration)
        self._client.user_agent = USER_AGENT
        in_flight.follow(self._client.rest_client.pool_manager)

    @property
    def server(self) -> str:
        """URL of the API server."""
        return str(self.configuration.host)

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()  # type: ignore[no-untyped-call]

    def list(self, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Read all objects of a collection, page by page.

        Raises:
            ApiError: The server rejected a request.
            UnreachableError: The server did not answer, despite retries for `limits.unreachable` real seconds.
        """
        items: list[dict[str, Any]] = []
        query = {**(query or {}), "limit": PAGE}
        while True:
            page = self.get(path, query)
            items += page["items"]
            if not (token := page["metadata"].get("continue")):
                return items
            query["continue"] = token

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Read an object or one page of a collection.

        Raises:
            ApiError: The server rejected the request.
            UnreachableError: The server did not answer, despite retries for `limits.unreachable` real seconds.
        """
        return self._json("GET", path, query=query)

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Read plain text, such as a log."""
        return self._retried("GET", path, query=query).decode("utf-8", errors="replace")

    def try_out(self, path: str, body: Body) -> None:
        """Ask whether the server would create an object (POST with `dryRun`), admission included; nothing is stored.

        Raises:
            ApiError: The server would reject it, or its admission cannot say without side effects.
            UnreachableError: As for `get`.
        """
        self._json("POST", path, body=body, query={"fieldManager": self.manager, "dryRun": "All"})

    def create(self, path: str, body: Body) -> dict[str, Any]:
        """Create an object in its collection (POST).

        If the answer was lost and the object then exists, it is the one that was created.
        """
        lost = threading.Event()
        try:
            return self._json("POST", path, body=body, query={"fieldManager": self.manager}, lost=lost)
        except ApiError as error:
            if not (lost.is_set() and error.conflict and isinstance(body, Mapping)):
                raise
            return self.get(f"{path}/{body['metadata']['name']}")

    def replace(self, path: str, body: Body) -> dict[str, Any]:
        """Replace an object (PUT). An outdated resourceVersion in `body` raises ApiError with status 409."""
        return self._json("PUT", path, body=body, query={"fieldManager": self.manager})

    def patch(self, path: str, body: Body, kind: PatchKind = PatchKind.MERGE) -> dict[str, Any]:
        """Patch an object (PATCH). A failed `test` operation of a JSON patch raises ApiError with status 422."""
        return self._json("PATCH", path, body=body, query={"fieldManager": self.manager}, content=kind)

    def delete(self, path: str, *, grace: int | None = None, version: str | None = None) -> bool:
        """Delete an object (DELETE); return whether it existed.

        Args:
            path: Path of the object.
            grace: Grace period of a pod in seconds; None uses the one in the pod's spec.
            version: resourceVersion that the object must have, or ApiError with status 409 is raised; None for any.
        """
        body: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        body |= {} if grace is None else {"gracePeriodSeconds": grace}
        body |= {} if version is None else {"preconditions": {"resourceVersion": version}}
        try:
            self._json("DELETE", path, body=body)
        except ApiError as error:
            if not error.not_found:
                raise
            return False
        return True

    def probe(self) -> dict[str, Any]:
        """Read the server's version, without retries and with the short limit `limits.connect`."""
        return cast("dict[str, Any]", json.loads(self._once("GET", "/version", self.limits.connect, as_json=True)))

    def time(self) -> datetime:
        """Return the time of the server's last answer by its own clock; the time of this machine if it told none.

        Times in objects are those of servers. A clock that is wrong here, or runs faster there, does not matter then.
        """
        return parsedate_to_datetime(self._date) if self._date else datetime.now(UTC)

    def signed(self, path: str, query: Sequence[tuple[str, str]]) -> tuple[str, dict[str, str]]:
        """Give URL and headers, credentials included, of a GET that another client sends: a WebSocket."""
        _, url, headers, *_ = self._client.param_serialize(
            "GET", path, query_params=list(query), auth_settings=["BearerToken"]
        )
        return url, headers

    def stream(self, path: str, query: Mapping[str, str], seconds: float) -> Stream:
        """Open a watch; `seconds` is its expected length in real seconds.

        The connection counts as broken if nothing arrives for `seconds` plus `limits.connect`.

        Raises:
            ApiError: The server rejected the watch.
            UnreachableError: The server did not accept it within `limits.request` real seconds.
        """
        limit = (self.limits.connect, self.limits.request)
        with in_flight.attempted() as attempt, self.patience.cutting(attempt.cut):
            response = self._send("GET", path, query=query, timeout=limit)
        if response.status != 200:
            raise _error_response(f"GET {path}", response.status, response.read())
        return Stream(response.response, self.server, seconds + self.limits.connect)

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(self._retried(method, path, as_json=True, **options)))

    def _retried(self, method: str, path: str, **options: Any) -> bytes:
        """Send a request until the server answers, or has been silent for `limits.unreachable` real seconds.

        A write whose answer was lost is sent again too: a patch or replacement with the same content changes nothing,
        or is a conflict that the caller knows how to handle; see `create` for the rest.
        """
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(UnreachableError),
            stop=self.patience.is_over,
            wait=tenacity.wait_exponential(multiplier=0.05, max=2),
            sleep=self.patience.pause,
            reraise=True,
        )(self._once, method, path, **options)

    def _once(
        self,
        method: str,
        path: str,
        timeout: float | None = None,
        lost: threading.Event | None = None,
        *,
        as_json: bool = False,
        **options: Any,
    ) -> bytes:
        """Send a request once. Sets `lost` if the server may have processed it without an answer.

        A load balancer may cut an answer at any byte; one that must be JSON (`as_json`) is then known by its end.
        """
        self.patience.refuse()
        try:
            with self._at_once, in_flight.attempted() as attempt, self.patience.cutting(attempt.cut):
                self.patience.refuse()  # another request may have been waited for until now
                # A connection that is not made yet cannot be cut off, so its own limit must end it.
                usual = (self.limits.connect, self.limits.connect if self.patience.ended else self.limits.request)
                response = self._send(method, path, timeout=timeout or usual, **options)
                data = self._read(response, method, path, as_json=as_json)
        except UnreachableError as error:
            self.patience.unanswered(busy=False)
            if lost is not None and not error.unprocessed:
                lost.set()
            raise
        if not 200 <= response.status < 300:
            refused = _error_response(f"{method} {path}", response.status, data)
            if isinstance(refused, UnreachableError):
                self.patience.unanswered(busy=True)
            else:
                self.patience.answered()
            raise refused
        self.patience.answered()
        self._date = response.getheader("Date") or ""
        return data

    def _read(self, response: Any, method: str, path: str, *, as_json: bool) -> bytes:
        try:
            data = cast("bytes", response.read())
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"{self.server} did not complete its answer to {method} {path}: {error}") from error
        if as_json and 200 <= response.status < 300 and not data.rstrip().endswith(b"}"):
            raise UnreachableError(f"{self.server} did not complete its answer to {method} {path}")
        return data

    def _send(
        self,
        method: str,
        path: str,
        *,
        timeout: float | tuple[float, float],
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content: str = "application/json",
    ) -> Any:
        self._count(method, path, query or {})
        try:
            # This call authenticates: it may run an exec plug-in or refresh a token.
            request = self._client.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": "application/json, */*", "Content-Type": content},
                body=body,
                auth_settings=["BearerToken"],
            )
            return self._client.call_api(*request, _request_timeout=timeout)
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            raise UnreachableError(self._no_answer(error), unprocessed=True) from error
        except urllib3.exceptions.MaxRetryError as error:
            refused = isinstance(error.reason, urllib3.exceptions.NewConnectionError)
            raise UnreachableError(self._no_answer(error.reason or error), unprocessed=refused) from error
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(self._no_answer(error)) from error
        except kubernetes_client.ApiException as error:
            raise UnreachableError(self._no_answer(error.reason)) from error

    def _count(self, method: str, path: str, query: Mapping[str, str]) -> None:
        verb = _VERBS.get(method, method.lower())
        if method == "GET" and ("limit" in query or path.rpartition("/")[2] in _COLLECTIONS):
            verb = "watch" if "watch" in query else "list"
        with self._counting:
            self.requests[verb] += 1

    def _no_answer(self, why: object) -> str:
        said = str(why).rpartition("): ")[2]  # urllib3 puts its connection in front of what happened
        return (
            f"the API server {self.server} does not answer: {said}; check the kubeconfig's server address and "
            "certificates, and that the cluster is running"
        )


def _error_response(what: str, status: int, data: bytes) -> ClusterError:
    try:
        answer = json.loads(data)
    except ValueError:
        answer = {}
    reason = answer.get("reason", "") if isinstance(answer, dict) else ""
    message = answer.get("message", "") if isinstance(answer, dict) else ""
    message = message or data.decode("utf-8", errors="replace")[:300].strip()
    of_kubelet = what.endswith("/log")  # then the answer says that the node does not answer
    if (status in _BUSY and not of_kubelet) or "etcdserver: " in message:
        return UnreachableError(f"{what}: the API server answers {status}: {message}", unprocessed=status == 429)
    kind = _DENIALS.get(status, ApiError)
    return kind(what, status, reason, message)
