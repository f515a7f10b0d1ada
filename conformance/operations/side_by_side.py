"""Work on many nodes at the same time: a thread for each node, since nearly all of its time is waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from conformance.cluster.client import Cluster
from conformance.cluster.errors import ClusterError

T = TypeVar("T")

AT_ONCE: Final = 256
"""Nodes that are worked on at the same time at most; the others follow as soon as one is done."""
_PROGRESS_INTERVAL: Final = 1.0
"""Real seconds between two reports of progress."""


def side_by_side(
    cluster: Cluster,
    nodes: Iterable[str],
    work: Callable[[str], T],
    tell: Callable[[int, int], None] | None = None,
    at_once: int | None = None,
) -> dict[str, T | Exception]:
    """Do the work on each of the nodes at the same time.

    On KeyboardInterrupt every wait of the cluster ends at once; it is raised when the last thread has ended.

    Args:
        cluster: The cluster that the work waits on.
        nodes: Names of nodes, each passed to `work` once.
        work: What to do on one node; called in a thread of its own.
        tell: Called about once a second with the number of nodes that are done, and of all; None for nobody.
        at_once: Nodes at the same time at most; None for `AT_ONCE`.

    Returns:
        Result by node, or the exception that ended the work there.
    """
    names = list(nodes)
    if len(names) == 1 and threading.current_thread() is not threading.main_thread():
        return {names[0]: _attempt(work, names[0])}
    with ThreadPoolExecutor(
        max_workers=min(max(len(names), 1), at_once or AT_ONCE, AT_ONCE), thread_name_prefix="node"
    ) as pool:
        futures = {name: pool.submit(_attempt, work, name) for name in names}
        try:
            _await(list(futures.values()), tell)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # first of all: no other node is begun
            cluster.stop_waiting(ClusterError("the run was interrupted"))
            pool.shutdown(wait=True)
            cluster.stop_waiting(None)
            raise
    return {name: future.result() for name, future in futures.items()}


def results(outcomes: Mapping[str, T | Exception]) -> dict[str, T]:
    """Give the results by node where the work ended everywhere.

    Raises:
        Exception: The first error, where there is one; the others have ended as well.
    """
    good: dict[str, T] = {}
    for name, outcome in outcomes.items():
        if isinstance(outcome, Exception):
            raise outcome
        good[name] = outcome
    return good


def _attempt(work: Callable[[str], T], name: str) -> T | Exception:
    try:
        return work(name)
    except Exception as error:  # noqa: BLE001 - handed to the caller, who knows what it means for the node
        return error


def _await(futures: list[Future[T]], tell: Callable[[int, int], None] | None) -> None:
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=_PROGRESS_INTERVAL, return_when=FIRST_COMPLETED)
        if not done and tell is not None:
            tell(len(futures) - len(pending), len(futures))
