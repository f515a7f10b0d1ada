"""D-01, D-11, D-14: what becomes of a node whose Node object is new: deleted and registered again, or there before.

Sources: NVIDIA/gpu-operator v26.7.0, controllers/nodelabeling_controller.go and state_manager.go; gpu-operator issue
873; NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go.
"""

from __future__ import annotations

from typing import Final

from conformance.expect.compare import compare_mappings, compare_sequences
from conformance.expect.finding import CheckContext, ConformanceError
from conformance.expect.interruptions import REPLACED
from conformance.expect.trial import RUNS_ON, Trial
from conformance.spec.names import DEPLOY_PREFIX, GPU_PRESENT, MIG_CAPABLE, State

_RUNS: Final = "runs"


def check_prepared(context: CheckContext, trial: Trial) -> None:
    """Check that the node has the operator's labels of before again, and the one that tells that it can do MIG.

    Raises:
        ConformanceError: A deploy label, `gpu.present` or `mig.capable` is missing or has another value.
    """
    before, after = (
        {name: value for name, value in labels.items() if name.startswith((DEPLOY_PREFIX, GPU_PRESENT, MIG_CAPABLE))}
        for labels in (trial.before.labels, trial.after.labels)
    )
    if finding := compare_mappings(before, after, only_differences=True):
        likely = "the operator labels a node by what NFD and GPU Feature Discovery publish of it: look at their logs"
        raise ConformanceError(context, "operator labels", finding, (likely,))


def check_operands_came_back(context: CheckContext, trial: Trial) -> None:
    """Check that every operand runs: in a new pod, or in that of before if the labels were back before it was stopped.

    Raises:
        ConformanceError: An operand has no pod.
    """
    found = {app: _RUNS if fate in (REPLACED, RUNS_ON) else fate for app, fate in trial.operands.items()}
    if finding := compare_mappings(dict.fromkeys(trial.operands, _RUNS), found, only_differences=True):
        likely = "the DaemonSet of an operand follows the label nvidia.com/gpu.deploy.<operand> of the node"
        raise ConformanceError(context, "operand pods", finding, (likely,))


def check_states_of_new_node(context: CheckContext, trial: Trial) -> None:
    """Check that a node without a state got `pending`, then `success`, and nothing else.

    Raises:
        ConformanceError: Another answer, or none.
    """
    if finding := compare_sequences([State.PENDING, State.SUCCESS], trial.states):
        likely = "" if trial.states else "mig-manager did not look at the label that was there when it started"
        raise ConformanceError(context, "states", finding, (likely,) if likely else ())
