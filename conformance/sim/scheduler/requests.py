"""What pods ask for and nodes offer, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from kubernetes.utils.quantity import parse_quantity

from conformance.sim.kube import Object

Amounts = Mapping[str, Decimal]
"""Amount by resource name: CPUs, bytes, or devices."""


@lru_cache(maxsize=4096)
def amount(quantity: str) -> Decimal:
    """Read a quantity as the API writes it, for example `250m`, `2Gi`, `7`."""
    return Decimal(parse_quantity(quantity))  # type: ignore[no-untyped-call]


def amounts(quantities: Mapping[str, str] | None) -> dict[str, Decimal]:
    """Read a map of quantities; None is an empty one."""
    return {resource: amount(str(quantity)) for resource, quantity in (quantities or {}).items()}


def pod_requests(pod: Object) -> dict[str, Decimal]:
    """Return what a pod needs: the sum of its containers, or more where one init container needs more."""
    spec = pod["spec"]
    needed: dict[str, Decimal] = {}
    for container in spec["containers"]:
        for resource, wanted in _requests(container).items():
            needed[resource] = needed.get(resource, Decimal(0)) + wanted
    for container in spec.get("initContainers") or []:
        for resource, wanted in _requests(container).items():
            needed[resource] = max(needed.get(resource, Decimal(0)), wanted)
    return needed


def _requests(container: Object) -> dict[str, Decimal]:
    return amounts((container.get("resources") or {}).get("requests"))
