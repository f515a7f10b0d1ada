"""All time limits of the suite in one table. `--timeouts FILE` overrides single fields.

Sources: docs/reference/mig-manager.md#one-reconfiguration, docs/reference/mig-manager.md#how-to-ask-safely,
docs/reference/gpu-operator.md#when-a-roll-is-over, docs/reference/kubelet.md#capacity. For comparison: other suites
allow 15 min for NVIDIA's operands, and nvidia-ci allows 12 min for one reconfiguration.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import yaml

from conformance.cluster.errors import ClusterError
from conformance.flags import flag, why_unreadable
from conformance.flags import path as read_path


@dataclass(frozen=True)
class Limits:
    """Time limits in seconds of the cluster's clock, unless a field says real seconds. Every limit is above 0.

    Attributes:
        connect: Real seconds to wait for the first answer of an API server, and to make each connection to it. A run
            without an API server must end within 15 s.
        request: Real seconds for one request and its answer.
        unreachable: Real seconds without any answer after which waits fail. An API server that restarts, for example
            during the upgrade of a single-node cluster, is back within a minute.
        node_away: How long a node may be not Ready, outside a reboot, before the work on it ends. A kubelet that
            restarts is back within seconds.
        patience: Minimum real seconds before a wait may time out; a shorter limit of the wait takes precedence. On a
            simulated clock much faster than real time, the suite needs some real time to see what happened, more so on
            a busy machine.
        watch: Real seconds after which the server ends a watch and the suite resumes it. Bounds how long a dead
            connection stays unnoticed.
        manager_ready: Until mig-manager's pod is Ready and idle before a change. It waits for the driver, which takes
            minutes.
        reconfigure: From setting `mig.config` to `success` or `failed`, without a reboot. mig-manager waits up to 5 min
            for each of five operands; a healthy cluster needs between a few seconds and 2 min.
        reboot: Like `reconfigure`, but counted from the moment when the state becomes `rebooting`.
        operands_ready: From mig-manager's answer until the operands' pods are back and Ready. Driver and toolkit
            validation run first.
        crash_again: How long an operand that was started again must then run to count as running. A container that
            fails for good ends within seconds.
        resources: From then until the node status shows the resources; kubelet syncs it every 10 s.
        capacity_grace: Until the capacity of a removed resource falls to 0; kubelet keeps it for 5 min.
        labels: Until GPU Feature Discovery's labels appear. It writes every 60 s, and NFD reads every 60 s.
        strategy_seen: Until the operator has put a new strategy into its DaemonSets; other suites allow 1 min.
        strategy_roll: Until the DaemonSets have rolled on the first node.
        strategy_roll_per_node: Added for each further node, because the roll goes one node at a time.
        pod_start: From the creation of a workload pod to Running; its image is small or already pulled.
        pod_finish: From Running to the end of a workload pod.
        pod_gone: From the deletion of a pod until its object is gone (grace period 30 s).
        stays_pending: How long to watch a pod that must stay Pending; a scheduler that can place it does so at once.
        edit_ignored: How long to watch that an edited ConfigMap changes nothing before the next request. kubelet needs
            up to about 90 s to show the new content in the volume; until then a request would be answered with the old.
        idle: How long to watch that mig-manager does nothing. It reacts to a change of its label within a second.
        stuck: How long to watch a mig-manager that waits for a pod which does not go; it gives up after 5 min.
        lease: Real seconds after which the lease of a killed run expires. A run renews its lease at a third of that.
    """

    connect: float = 10.0
    request: float = 30.0
    unreachable: float = 60.0
    node_away: float = 120.0
    patience: float = 4.0
    watch: float = 240.0
    manager_ready: float = 600.0
    reconfigure: float = 900.0
    reboot: float = 2400.0
    operands_ready: float = 600.0
    crash_again: float = 30.0
    resources: float = 120.0
    capacity_grace: float = 400.0
    labels: float = 240.0
    strategy_seen: float = 90.0
    strategy_roll: float = 600.0
    strategy_roll_per_node: float = 180.0
    pod_start: float = 180.0
    pod_finish: float = 180.0
    pod_gone: float = 120.0
    stays_pending: float = 10.0
    edit_ignored: float = 120.0
    idle: float = 15.0
    stuck: float = 330.0
    lease: float = 60.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
                raise ClusterError(f"limit {field.name} must be a number of seconds above 0, not {value!r}")


def load_limits(path: Path) -> Limits:
    """Read limits from a TOML (`.toml`) or YAML file that maps field names to seconds. Other fields keep defaults.

    Raises:
        ClusterError: The file cannot be read or parsed, a field is unknown (the message lists the valid ones), or a
            value is not a number above 0.
    """
    given = _read(path)
    known = [field.name for field in fields(Limits)]
    if unknown := sorted(str(name) for name in given if name not in known):
        raise ClusterError(f"{path}: unknown limit {', '.join(unknown)}; there are: {', '.join(known)}")
    return Limits(**given)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise ClusterError(f"cannot read limits from {path}: {why_unreadable(error)}") from error
    if not isinstance(data, dict):
        raise ClusterError(f"{path}: expected a mapping of limits to seconds, found {type(data).__name__}")
    return data


TIMEOUTS: Final = flag(
    "--timeouts",
    metavar="FILE",
    read=lambda text: load_limits(read_path(text)),
    help="TOML or YAML file that maps names of time limits to seconds, see conformance/cluster/limits.py",
)
"""The option that changes limits, for the tables of options."""
