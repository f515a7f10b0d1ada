"""Where an API server reaches the kubelet of simulated nodes, for logs and exec."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final, NamedTuple

from conformance.sim.kube import NODES, Kube, Object

LOOPBACK: Final = "127.0.0.1"
"""Address of simulated nodes whose API server runs on the same machine."""
_ANY_PORT: Final = 9


class Endpoint(NamedTuple):
    """Address of a simulated node, and the port of its kubelet."""

    address: str
    port: int


async def address_towards_nodes(kube: Kube) -> str:
    """Return the address of this machine at which the API server of a cluster reaches it.

    It is the one from which this machine reaches a node that is already there. The API server of kind, k3d and minikube
    runs in a container or a virtual machine, beside such a node, and 127.0.0.1 is another machine there. Without nodes
    the API server is taken to be on this one.
    """
    for node in (await kube.list(NODES)).items:
        for address in _internal(node):
            if not ipaddress.ip_address(address).is_loopback:
                return source_address(address)
    return LOOPBACK


def source_address(address: str) -> str:
    """Return the address of this machine on the way to another one; the loopback address where there is no way.

    Connecting a datagram socket sends nothing: it asks the operating system for the route.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((address, _ANY_PORT))
        except OSError:
            return LOOPBACK
        found: str = asking.getsockname()[0]
        return found


def _internal(node: Object) -> list[str]:
    """Return the IPv4 addresses of a node inside its cluster."""
    addresses = node.get("status", {}).get("addresses") or []
    found = [one["address"] for one in addresses if one["type"] == "InternalIP"]
    return [address for address in found if ipaddress.ip_address(address).version == 4]
