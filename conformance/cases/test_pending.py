"""Requests that do not match the strategy."""

import pytest

from conformance.expect.scheduling import check_runs, check_stays_pending
from conformance.fixtures.cells import SLICED, Geometry, at_strategy_switch, cells
from conformance.fixtures.markers import requirement
from conformance.fixtures.node import MigNode
from conformance.fixtures.switch import Switch
from conformance.fixtures.workloads import Workloads
from conformance.spec.names import GPU_RESOURCE, Strategy


@requirement("D-21")
@cells(strategies=[Strategy.MIXED], geometries=SLICED)
@pytest.mark.workload
def test_whole_gpu_request_stays_pending_under_mixed(node: MigNode, workloads: Workloads) -> None:
    """Under `mixed` a pod that asks for `nvidia.com/gpu` MUST stay Pending while every GPU is in MIG mode.

    The scheduler MUST name the resource that is insufficient.
    Source: runbook, "Failure modes"; message as of kube-scheduler v1.36.
    """
    pod = workloads.pending(workloads.start(GPU_RESOURCE))

    check_stays_pending(node.place, pod, insufficient=GPU_RESOURCE)


@requirement("D-21")
@cells(strategies=[Strategy.SINGLE], geometries=[Geometry.UNIFORM])
@pytest.mark.workload
def test_slice_request_stays_pending_under_single(node: MigNode, workloads: Workloads) -> None:
    """Under `single` a pod that asks for `nvidia.com/mig-<profile>` MUST stay Pending although the slices are there.

    The scheduler MUST name the resource that is insufficient.
    Source: runbook, "Failure modes"; message as of kube-scheduler v1.36.
    """
    pod = workloads.pending(workloads.start(node.resource_of_other_strategy))

    check_stays_pending(node.place, pod, insufficient=node.resource_of_other_strategy)


@requirement("D-21", "D-09")
@at_strategy_switch(geometries=[Geometry.UNIFORM])
@pytest.mark.workload
@pytest.mark.cluster_wide
def test_pending_pod_runs_once_the_strategy_is_switched(switch: Switch) -> None:
    """A pod that asks for what the other strategy advertises MUST stay Pending, and run once the strategy is switched.

    The geometry stays as it is. Source: runbook, "Configuration" and "Failure modes".
    """
    waited = switch.waited

    check_stays_pending(switch.before, waited.pending, insufficient=waited.resource)
    check_runs(switch.after, waited.running)
