"""The program of the operator's container."""

from __future__ import annotations

from functools import partial

from conformance.sim.container import Container, Program
from conformance.sim.controller import until_stopped
from conformance.sim.operator.controller import Operator
from conformance.spec.releases import find_release


def gpu_operator(reaction: float = 0.0) -> Program:
    """Return the program, which behaves as the release that is the tag of its image.

    Args:
        reaction: Minimum real seconds between a change and the reconcile.
    """
    return partial(_run, reaction=reaction)


async def _run(container: Container, reaction: float) -> int:
    operator = Operator(
        container.kube,
        container.clock,
        container.env["OPERATOR_NAMESPACE"],
        find_release(container.version),
        container.node.faults,
        reaction,
        container.log,
    )
    return await until_stopped(container.stop, operator.run())
