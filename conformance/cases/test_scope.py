"""Which nodes MIG concerns, and what such a node needs."""

from conformance.expect.node import ExpectedNode
from conformance.expect.scope import check_left_alone, check_prerequisites
from conformance.expect.versions import check_images
from conformance.fixtures.case import case
from conformance.suite.cells import cells
from conformance.suite.scenarios.scope import (
    Images,
    LookAtImages,
    LookAtOtherNodes,
    LookAtPrerequisites,
    Needed,
    Scope,
)

ONCE = cells(once=True)


@case("D-10", scenario=LookAtOtherNodes, cells=ONCE)
def test_nodes_without_mig_are_left_alone(node: ExpectedNode, seen: Scope) -> None:
    """A node whose GPUs cannot do MIG MUST have no mig-manager, no `mig.capable=true`, no configuration and no state.

    That holds while other nodes are reconfigured as well.
    Source: runbook, "Prerequisites"; gpu-operator v26.7.0, controllers/state_manager.go.
    """
    check_left_alone(node.context, seen.others)


@case("D-11", scenario=LookAtPrerequisites)
def test_prerequisites_of_mig_are_met(node: ExpectedNode, seen: Needed) -> None:
    """mig-manager, device plugin and GPU Feature Discovery MUST run on the node, and its driver MUST know MIG.

    There MUST be one ClusterPolicy, no deploy label that a change has left paused, and no Event of a pod that fails.
    Source: runbook, "Prerequisites"; MIG User Guide, "Software prerequisites".
    """
    check_prerequisites(node.context, seen.found)


@case("D-28", scenario=LookAtImages)
def test_running_versions_are_the_declared_ones(node: ExpectedNode, seen: Images) -> None:
    """Every operand MUST run the image that the ClusterPolicy declares, and the Helm values of `--declared-versions`.

    That holds for the templates of the DaemonSets and for the pods on the node.
    Source: runbook, "Scope"; gpu-operator v26.7.0, api/nvidia/v1/clusterpolicy_types.go.
    """
    check_images(node.context, seen.components)
