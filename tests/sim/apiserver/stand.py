"""An embedded server in a thread, and plain HTTP requests to any server under the identity of a kubeconfig."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from conformance.sim.apiserver import ApiServer, Settings
from tests.sim.official import settings_of

PATIENCE_SECONDS = 15.0


@contextmanager
def serving(directory: Path, settings: Settings | None = None) -> Iterator[ApiServer]:
    """Run an embedded server in a thread of its own."""
    loop = asyncio.new_event_loop()
    server = ApiServer(directory, settings=settings)
    thread = threading.Thread(target=loop.run_forever, name="api-server", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(timeout=PATIENCE_SECONDS)
    yield server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(timeout=PATIENCE_SECONDS)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(timeout=PATIENCE_SECONDS)
    loop.close()


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, its body decoded where it is JSON."""

    status: int
    body: Any
    headers: Any

    @property
    def reason(self) -> str:
        """Reason of a Status."""
        return str(self.body["reason"])


class Http:
    """Plain requests under the identity of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        settings = settings_of(kubeconfig)
        self.settings = settings
        self.url = settings.host
        self.pool = urllib3.PoolManager(
            ca_certs=settings.ssl_ca_cert, cert_file=settings.cert_file, key_file=settings.key_file, retries=False
        )
        self.identity = {"Authorization": token} if (token := settings.get_api_key_with_prefix("BearerToken")) else {}

    def call(
        self, method: str, path: str, body: object = None, content_type: str = "application/json", **headers: str
    ) -> Answer:
        """Make a request; header names are given with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Accept": "application/json", **self.identity, **sent}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body)
        if data is not None:
            sent["Content-Type"] = content_type
        answer = self.pool.request(method, self.url + path, body=data, headers=sent, timeout=PATIENCE_SECONDS)
        is_json = answer.data.startswith(b"{")
        return Answer(answer.status, json.loads(answer.data) if is_json else answer.data, answer.headers)

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: object) -> Answer:
        return self.call("POST", path, body)

    def put(self, path: str, body: object) -> Answer:
        return self.call("PUT", path, body)

    def delete(self, path: str, body: object = None) -> Answer:
        return self.call("DELETE", path, body)

    def merge(self, path: str, patch: object) -> Answer:
        return self.call("PATCH", path, patch, "application/merge-patch+json")

    def strategic(self, path: str, patch: object) -> Answer:
        return self.call("PATCH", path, patch, "application/strategic-merge-patch+json")

    def json_patch(self, path: str, operations: object) -> Answer:
        return self.call("PATCH", path, operations, "application/json-patch+json")

    def apply(self, path: str, obj: object, manager: str, *, force: bool = False) -> Answer:
        query = f"?fieldManager={manager}" + ("&force=true" if force else "")
        return self.call("PATCH", path + query, obj, "application/apply-patch+yaml")

    @contextmanager
    def watching(self, path: str, **query: object) -> Iterator[Iterator[dict[str, Any]]]:
        """Open a watch, which is registered once this has yielded; the iterator ends when the server ends it."""
        text = "&".join(f"{name}={value}" for name, value in {"watch": "true", "timeoutSeconds": 10, **query}.items())
        sent = {"Accept": "application/json", **self.identity}
        answer = self.pool.request(
            "GET", f"{self.url}{path}?{text}", headers=sent, preload_content=False, timeout=PATIENCE_SECONDS
        )
        assert answer.status == 200, answer.read()
        try:
            yield _events(answer)
        finally:
            answer.close()


def _events(answer: urllib3.BaseHTTPResponse) -> Iterator[dict[str, Any]]:
    buffered = b""
    for chunk in answer.stream(amt=None):
        *lines, buffered = (buffered + chunk).split(b"\n")
        yield from (json.loads(line) for line in lines if line)


def names_of(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return type and name of each event."""
    return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


def pod_body(name: str, **spec: object) -> dict[str, Any]:
    """Return a pod of one container."""
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i:1"}], **spec}}
