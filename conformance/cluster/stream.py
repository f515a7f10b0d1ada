"""The lines of a watch, until the server or the suite ends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import urllib3
from kubernetes.watch.watch import iter_resp_lines

from conformance.cluster.errors import UnreachableError


class Stream:
    """Lines of one watch. `close` may be called from another thread; it ends the iteration.

    Args:
        response: The response, of which only the head was read.
        server: URL of the server, for messages.
        silence: Real seconds without a line after which the connection counts as broken.
    """

    def __init__(self, response: Any, server: str, silence: float) -> None:
        self._response = response
        self._server = server
        if (sock := self._socket) is not None:
            sock.settimeout(silence)

    def __iter__(self) -> Iterator[str]:
        """Yield lines until the server ends the watch.

        Raises:
            UnreachableError: The connection broke, timed out or was closed.
        """
        try:
            yield from iter_resp_lines(self._response)  # type: ignore[no-untyped-call]
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # urllib3 raises ValueError when it reads from a file that `close` has closed.
            raise UnreachableError(f"lost the watch connection to {self._server}: {error}") from error
        finally:
            self._response.close()

    def close(self) -> None:
        """End the iteration by shutting down the socket, as `Watch.stop` of the Kubernetes client does."""
        if (sock := self._socket) is not None:
            _shut_down(sock)

    @property
    def _socket(self) -> Any:
        """The socket of the response; None if the connection is closed."""
        return getattr(getattr(self._response, "connection", None), "sock", None)


def _shut_down(sock: Any) -> None:
    """Shut down both directions of a socket; does nothing if it is already closed."""
    try:
        sock.shutdown(2)
    except OSError:
        return
