"""Preflight as a part of a run: what is asked for it, and what its findings mean for the plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from conformance.backends.backend import Permissions
from conformance.cluster.errors import ClusterError, InconclusiveError
from conformance.operations.rights import Level
from conformance.preflight.finding import PreflightFinding
from conformance.preflight.table import blocking
from conformance.preflight.text import short
from conformance.spec.names import GPU_RESOURCE
from conformance.suite.pods import make_pod

_NODE: Final = "mig-conformance-preflight"
"""Stands for a node in pods that are never stored."""
_UNMANAGED: Final = "manager-off"


def levels_of(permissions: Permissions, *, publish: bool = False) -> frozenset[Level]:
    """Return the levels of rights that a run with these permissions needs, and with `--publish` if it is given."""
    allowed = {
        Level.READ: True,
        Level.DISRUPTIVE: permissions.disruptive,
        Level.CLUSTER_WIDE: permissions.cluster_wide,
        Level.EXEC: permissions.execute,
        Level.PUBLISH: publish,
    }
    return frozenset(level for level, given in allowed.items() if given)


def pods_to_try(image: str, *, reboot: bool = False) -> Mapping[str, Mapping[str, Any]]:
    """Return the pods of the suite that a run starts, by title, to ask whether the server would create them.

    Args:
        image: Their image.
        reboot: Whether the run may reboot nodes, which takes a privileged pod.
    """
    make = partial(make_pod, node=_NODE, run="preflight", image=image)
    one: Mapping[str, int] = {GPU_RESOURCE: 1}
    pods = {
        "bystander": make("bystander", name="bystander"),
        "gpu-observer": make("gpu-observer", name="gpu-observer"),
        "slice-user": make("slice-user", name="slice-user", resources=one),
    }
    if reboot:
        pods["host-command"] = make("host-command", name="host-command")
    return pods


def unmanaged(findings: Iterable[PreflightFinding], nodes: Iterable[str]) -> dict[str, str]:
    """Return why nobody applies configurations on a node, by name; empty for nodes that mig-manager looks after."""
    names, found = list(nodes), dict[str, str]()
    for finding in findings:
        if finding.id == _UNMANAGED:
            on = [name for name in names if f"node {name}" in finding.objects]
            everywhere = not any(one.startswith("node ") for one in finding.objects)
            found |= dict.fromkeys(names if everywhere else on, finding.found)
    return found


@contextmanager
def explaining(findings: Sequence[PreflightFinding]) -> Iterator[None]:
    """Add to the error of a run that cannot begin what preflight has found to block it, in the same line."""
    try:
        yield
    except InconclusiveError:
        raise
    except ClusterError as error:
        found = [short(finding) for finding in blocking(findings)]
        if not found:
            raise
        raise ClusterError(f"{error}. Preflight: {'. '.join(found)}") from error
