"""Waits until a control plane is ready."""

from __future__ import annotations

import ssl
import time
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPException, HTTPSConnection
from typing import Final

from conformance.backends.backend import BackendError
from conformance.backends.control_plane.files import Files
from conformance.backends.control_plane.ports import HOST
from conformance.backends.control_plane.programs import Programs

START_SECONDS: Final = 60.0
"""Real seconds within which everything must be ready; on two cores it takes about four."""
_LOOK_AGAIN: Final = 0.05
_REQUEST_SECONDS: Final = 5.0


class Readiness:
    """Polls the API server at `port`, until `START_SECONDS` after construction."""

    def __init__(self, programs: Programs, files: Files, port: int) -> None:
        self._programs = programs
        self._port = port
        self._headers = {"Authorization": f"Bearer {files.token}"}
        self._tls = ssl.create_default_context(cafile=files.authority)
        self._until = time.monotonic() + START_SECONDS

    def wait_for(self, path: str) -> None:
        """Wait until a GET of `path` succeeds.

        Raises:
            BackendError: A program ended, or the request did not succeed in time; the message quotes the logs.
        """
        while refusal := self._refusal(path):
            if broken := self._programs.broken():
                raise BackendError(broken)
            if time.monotonic() >= self._until:
                what = f"the control plane is not ready after {START_SECONDS:g} s: GET {path}: {refusal}"
                raise BackendError(self._programs.explain(what, "kube-apiserver"))
            time.sleep(_LOOK_AGAIN)

    def _refusal(self, path: str) -> str:
        """Say why a GET of `path` does not succeed; empty where it does."""
        try:
            with closing(HTTPSConnection(HOST, self._port, timeout=_REQUEST_SECONDS, context=self._tls)) as connection:
                connection.request("GET", path, headers=self._headers)
                answer = connection.getresponse()
                return "" if answer.status == HTTPStatus.OK else answer.read().decode(errors="replace")
        except (OSError, HTTPException) as error:
            return str(error) or repr(error)
