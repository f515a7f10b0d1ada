"""Free ports that stay free until their server takes them."""

from __future__ import annotations

import socket
from typing import Final

HOST: Final = "127.0.0.1"


class Ports:
    """Ports of the loopback interface, reserved for servers that share ports.

    A port that was free a moment ago may be anybody's by the time a server binds it. These sockets are bound but do not
    listen: nobody else gets the port, and a server that sets SO_REUSEPORT too gets all connections.
    """

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def reserve(self) -> int:
        """Return one more port."""
        reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._sockets.append(reserved)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind((HOST, 0))
        port: int = reserved.getsockname()[1]
        return port

    def close(self) -> None:
        """Give them back."""
        for reserved in self._sockets:
            reserved.close()
        self._sockets.clear()
