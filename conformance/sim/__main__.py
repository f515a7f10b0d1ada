"""`python -m conformance.sim`: a simulated cluster to try things by hand, or simulated GPU nodes for another one."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from conformance.flags import declare, flag, path, read
from conformance.sim.faults import FAULTS
from conformance.sim.options import SimOptions

if TYPE_CHECKING:
    from conformance.sim.cluster import SimulatedCluster

REACTION_SECONDS: Final = 0.05
"""How long the control plane lets whoever works with the cluster by hand come first."""


@dataclass(frozen=True)
class _Place:
    """Where the cluster runs: with a server of its own, or joined to one that is there.

    Attributes:
        directory: For kubeconfig and certificates; None for one that is removed at the end.
        kubeconfig: Of the cluster to join; None for a server of its own.
        context: Context of that kubeconfig; None for its current one.
        with_scheduler: Whether to bring a scheduler to that cluster.
        with_controllers: Whether to bring a DaemonSet controller to that cluster.
        commands: Whether to read commands from standard input.
        list_faults: Whether to list the faults and start nothing.
    """

    directory: Path | None = field(
        default=None,
        metadata=flag("--directory", metavar="DIR", read=path, help="where kubeconfig and certificates go"),
    )
    kubeconfig: Path | None = field(
        default=None,
        metadata=flag(
            "--kubeconfig", metavar="FILE", read=path, help="join the cluster of this kubeconfig, start no server"
        ),
    )
    context: str | None = field(
        default=None, metadata=flag("--context", metavar="NAME", help="context of that kubeconfig")
    )
    with_scheduler: bool = field(
        default=False, metadata=flag("--with-scheduler", help="that cluster has no scheduler: bring one")
    )
    with_controllers: bool = field(
        default=False, metadata=flag("--with-controllers", help="it has no DaemonSet controller: bring one")
    )
    commands: bool = field(
        default=False,
        metadata=flag(
            "--commands", help="do what lines on standard input say: lose NODE; down, unavailable or pause SECONDS"
        ),
    )
    list_faults: bool = field(
        default=False, metadata=flag("--list-faults", help="list the faults and what they break, and end")
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM; returns the exit status (2 for a wrong option, 1 when the cluster fails)."""
    parser = _parser()
    chosen = vars(parser.parse_args(arguments))
    try:
        place = read(_Place, chosen)
        if place.list_faults:
            print(*FAULTS, sep="\n")
            return 0
        cluster = _cluster(read(SimOptions, chosen), place)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return _run(cluster, commands=place.commands)


def _run(cluster: SimulatedCluster, *, commands: bool) -> int:
    from conformance.sim.cluster import SimulationError, obey

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        print(cluster.start(), flush=True)
        cluster.on_failure(ended.set)
        if commands:
            told = partial(print, file=sys.stderr, flush=True)
            threading.Thread(target=obey, args=(cluster, sys.stdin, told), daemon=True).start()
        ended.wait()
        cluster.stop()
    except SimulationError as error:
        print(f"the simulated cluster failed: {error}", file=sys.stderr)
        return 1
    return 0


def _cluster(options: SimOptions, place: _Place) -> SimulatedCluster:
    """Make the cluster of the options.

    Raises:
        OSError: The directory cannot be made.
    """
    from conformance.sim.cluster import SimulatedCluster  # costs half a second, which --help and lists go without

    if place.directory:
        place.directory.mkdir(parents=True, exist_ok=True)
    return SimulatedCluster(
        replace(options, reaction=REACTION_SECONDS, normal_events=True),
        directory=place.directory,
        attach=place.kubeconfig,
        context=place.context,
        with_scheduler=place.with_scheduler or None,
        with_controllers=place.with_controllers or None,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m conformance.sim", description=__doc__)
    declare(SimOptions, parser.add_argument_group("what the cluster is made of").add_argument)
    declare(_Place, parser.add_argument_group("where it runs").add_argument)
    return parser


if __name__ == "__main__":
    sys.exit(main())
