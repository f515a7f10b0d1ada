"""Requests that do not match the strategy."""

from conformance.expect.kinds import SLICED, GeometryKind
from conformance.expect.node import ExpectedNode
from conformance.expect.scheduling import check_run, check_stays_pending
from conformance.fixtures.case import case
from conformance.spec.names import Strategy
from conformance.suite.cells import cells
from conformance.suite.scenarios.strategy_switch import StrategySwitch, SwitchStrategy
from conformance.suite.scenarios.unmatched_request import RequestUnmatched, UnmatchedRequest


@case("D-21", scenario=RequestUnmatched, cells=cells(strategies=[Strategy.MIXED], kinds=SLICED))
def test_whole_gpu_request_stays_pending_under_mixed(node: ExpectedNode, seen: UnmatchedRequest) -> None:
    """Under `mixed` a pod that asks for `nvidia.com/gpu` MUST stay Pending while every GPU is in MIG mode.

    The scheduler MUST name the resource that is insufficient.
    Source: runbook, "Failure modes"; message as of kube-scheduler v1.36.
    """
    check_stays_pending(node.context, seen.pod, insufficient=seen.resource)


@case("D-21", scenario=RequestUnmatched, cells=cells(strategies=[Strategy.SINGLE], kinds=[GeometryKind.UNIFORM]))
def test_slice_request_stays_pending_under_single(node: ExpectedNode, seen: UnmatchedRequest) -> None:
    """Under `single` a pod that asks for `nvidia.com/mig-<profile>` MUST stay Pending although the slices are there.

    The scheduler MUST name the resource that is insufficient.
    Source: runbook, "Failure modes"; message as of kube-scheduler v1.36.
    """
    check_stays_pending(node.context, seen.pod, insufficient=seen.resource)


@case("D-21", "D-09", scenario=SwitchStrategy, cells=cells(kinds=[GeometryKind.UNIFORM]))
def test_pending_pod_runs_once_the_strategy_is_switched(node: ExpectedNode, seen: StrategySwitch) -> None:
    """A pod that asks for what the other strategy advertises MUST stay Pending, and run once the strategy is switched.

    The geometry stays as it is. Source: runbook, "Configuration" and "Failure modes".
    """
    check_stays_pending(node.context, seen.pending, insufficient=seen.resource)
    check_run(node.context.under(seen.after), [seen.running])
