"""Every time limit of the suite in one table, `--timeouts FILE` overrides single fields.

Sources: docs/reference/mig-manager.md#one-reconfiguration, docs/reference/mig-manager.md#how-to-ask-safely,
docs/reference/gpu-operator.md#when-a-roll-is-over, docs/reference/kubelet.md#capacity. Other suites allow NVIDIA's
operands 15 min, and nvidia-ci 12 min for one reconfiguration.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from conformance.cluster.errors import ClusterError


@dataclass(frozen=True)
class Limits:
    """Seconds of the cluster's clock, unless a field says real seconds. Every field is above 0.

    Attributes:
        connect: Real seconds for the first answer of an API server; a run must end within 15 s where there is none.
        request: Real seconds for one request and its answer.
        unreachable: Real seconds without any answer after which a running suite gives up on the API server; one that
            restarts, as on a single-node cluster under upgrade, is back within a minute.
        patience: Minimum real seconds before a wait may time out (a shorter limit is kept): on a simulated clock that
            is much faster than real time the suite itself needs a while to see what happened, the more so on a
            busy machine.
        watch: Real seconds after which the server is asked to end a watch and the suite resumes it; bounds how long a
            dead connection stays unnoticed.
        manager_ready: mig-manager's pod Ready and idle before a change; it waits for the driver, so minutes.
        reconfigure: From the label to `success` or `failed` without a reboot. mig-manager itself waits up to 5 min for
            each of five operands; a healthy cluster needs seconds to 2 min.
        reboot: As `reconfigure`, for a node that passes through `rebooting`.
        operands_ready: After the answer, until the operands' pods are back and Ready (driver and toolkit validation
            come first).
        resources: After that, until kubelet's node status shows the resources (it syncs every 10 s).
        capacity_grace: Until the capacity of a resource that is gone falls to 0; kubelet keeps it 5 min.
        labels: Until GPU Feature Discovery's labels are there: it writes each 60 s, NFD reads each 60 s.
        strategy_seen: Until the operator has put a new strategy into its DaemonSets; others allow 1 min.
        strategy_roll: Until the DaemonSets have rolled, for the first node.
        strategy_roll_per_node: The same for each further node; the roll goes one node at a time.
        pod_start: From creation of a workload pod to Running; images are small or already there.
        pod_finish: From Running to the end of a workload pod.
        pod_gone: From deletion of a pod until its object is gone (grace period 30 s).
        stays_pending: How long a pod that must not run is watched; a scheduler that would place it does so at once.
        lease: Real seconds after which the lease of a run that died is free again; renewed at a third of it.
    """

    connect: float = 10.0
    request: float = 30.0
    unreachable: float = 60.0
    patience: float = 4.0
    watch: float = 240.0
    manager_ready: float = 600.0
    reconfigure: float = 900.0
    reboot: float = 2400.0
    operands_ready: float = 600.0
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
    lease: float = 60.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
                raise ClusterError(f"limit {field.name} must be a number of seconds above 0, not {value!r}")


def load_limits(path: Path) -> Limits:
    """Read limits from a TOML (`.toml`) or YAML file that maps field names to seconds; other fields keep defaults.

    Raises:
        ClusterError: The file cannot be read or parsed, a field does not exist (the message lists those that do), or
            a value is not a number above 0.
    """
    given = _read(path)
    known = [field.name for field in fields(Limits)]
    if unknown := sorted(str(name) for name in given if name not in known):
        raise ClusterError(f"{path}: no limit {', '.join(unknown)}; there are: {', '.join(known)}")
    return Limits(**given)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise ClusterError(f"cannot read limits from {path}: {error}") from error
    if not isinstance(data, dict):
        raise ClusterError(f"{path}: expected names of limits with seconds, found {type(data).__name__}")
    return data
