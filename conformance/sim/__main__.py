"""`python -m conformance.sim`: a simulated cluster to try things by hand, or simulated GPU nodes for another one."""

from __future__ import annotations

import argparse
import gc
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from conformance.sim.faults import FAULTS
from conformance.sim.options import FASTEST, SimOptions
from conformance.spec.models import board_names
from conformance.spec.names import Strategy
from conformance.spec.releases import DEFAULT_RELEASE, releases

if TYPE_CHECKING:
    from conformance.sim.cluster import SimulatedCluster

GARBAGE_THRESHOLDS: Final = (100_000, 50, 1000)
"""How seldom Python looks for cycles: an eighth of the time of a start otherwise, as it looks at all of the cluster."""
REACTION_SECONDS: Final = 0.05
"""How long the control plane lets whoever works with the cluster by hand come first."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM; returns the exit status (2 for a wrong option, 1 when the cluster fails)."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.list_faults:
        for fault in FAULTS:
            print(fault)
        return 0
    try:
        cluster = _cluster(chosen)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return _run(cluster)


def _run(cluster: SimulatedCluster) -> int:
    from conformance.sim.cluster import SimulationError

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    try:
        print(cluster.start(), flush=True)
        cluster.on_failure(ended.set)
        ended.wait()
        cluster.stop()
    except SimulationError as error:
        print(f"the simulated cluster failed: {error}", file=sys.stderr)
        return 1
    return 0


def _cluster(chosen: argparse.Namespace) -> SimulatedCluster:
    """Make the cluster of the options.

    Raises:
        ValueError: An option has a wrong value.
        OSError: A file cannot be read or the directory cannot be made.
    """
    from conformance.sim.cluster import SimulatedCluster  # costs half a second, which --help and lists go without

    if chosen.directory:
        chosen.directory.mkdir(parents=True, exist_ok=True)
    options = SimOptions(
        gpu_model=chosen.gpu_model,
        gpus_per_node=chosen.gpus_per_node,
        gpu_nodes=chosen.gpu_nodes,
        faults=tuple(chosen.fault),
        seed=chosen.seed,
        scale=chosen.time_scale,
        operator=chosen.operator,
        release=chosen.release,
        strategy=chosen.strategy,
        custom_config=chosen.config_file.read_text(encoding="utf-8") if chosen.config_file else None,
        with_reboot=chosen.with_reboot,
        reaction=REACTION_SECONDS,
    )
    return SimulatedCluster(
        options,
        directory=chosen.directory,
        attach=chosen.kubeconfig,
        context=chosen.context,
        with_scheduler=chosen.with_scheduler or None,
        with_controllers=chosen.with_controllers or None,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m conformance.sim", description=__doc__)
    parser.add_argument("--list-faults", action="store_true", help="list the faults and what they break, and end")
    made_of = parser.add_argument_group("what the cluster is made of")
    defaults = SimOptions()
    made_of.add_argument(
        "--gpu-model",
        metavar="NAME[,NAME]",
        default=defaults.gpu_model,
        help=f"GPU model, or several that are dealt out in turn: {', '.join(board_names())} (default: %(default)s)",
    )
    made_of.add_argument(
        "--gpus-per-node", metavar="N", type=int, default=defaults.gpus_per_node, help="default: %(default)s"
    )
    made_of.add_argument("--gpu-nodes", metavar="N", type=int, default=defaults.gpu_nodes, help="default: %(default)s")
    made_of.add_argument(
        "--no-operator", dest="operator", action="store_false", help="a cluster before the GPU Operator is installed"
    )
    made_of.add_argument(
        "--release",
        metavar="NAME",
        default=DEFAULT_RELEASE,
        help=f"operator release to behave as: {', '.join(releases())} (default: %(default)s)",
    )
    made_of.add_argument(
        "--strategy",
        default=defaults.strategy,
        help=f"MIG strategy at the start: {', '.join(Strategy)} (default: %(default)s)",
    )
    made_of.add_argument("--config-file", metavar="FILE", type=Path, help="mig-parted configuration for mig-manager")
    made_of.add_argument("--with-reboot", action="store_true", help="let mig-manager reboot nodes (WITH_REBOOT)")
    made_of.add_argument("--fault", metavar="NAME", action="append", default=[], help="switch a fault on; repeatable")
    made_of.add_argument("--seed", metavar="N", type=int, default=defaults.seed, help="what UUIDs are made of")
    made_of.add_argument(
        "--time-scale",
        metavar="X",
        type=float,
        help=f"cluster seconds per real second; 1 is real time (default: {FASTEST:g}, less with many nodes)",
    )
    made_of.add_argument("--directory", metavar="DIR", type=Path, help="where kubeconfig and certificates go")
    join = parser.add_argument_group("joining another cluster in place of a server of its own")
    join.add_argument("--kubeconfig", metavar="FILE", type=Path, help="kubeconfig of the cluster to join")
    join.add_argument("--context", metavar="NAME", help="context of that kubeconfig")
    join.add_argument("--with-scheduler", action="store_true", help="the cluster has no scheduler: bring one")
    join.add_argument("--with-controllers", action="store_true", help="it has no DaemonSet controller: bring one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
