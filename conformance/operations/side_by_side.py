"""Runs work on many nodes in parallel, with a thread for each node, because nearly all of the time is waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from conformance.cluster.client import Cluster
from conformance.cluster.errors import ClusterError
from conformance.operations.errors import NodeLostError

T = TypeVar("T")

AT_ONCE: Final = 256
"""Maximum number of nodes in parallel; each further node starts when another is done."""
_PROGRESS_INTERVAL: Final = 1.0
"""Real seconds between two progress reports."""


def side_by_side(
    cluster: Cluster,
    nodes: Iterable[str],
    work: Callable[[str], T],
    progress: Callable[[int, int], None] | None = None,
    at_once: int | None = None,
) -> dict[str, T | Exception]:
    """Run `work` for each of the nodes in parallel.

    A KeyboardInterrupt ends every wait of the cluster at once, and is raised after the last thread has ended.

    Args:
        cluster: The cluster whose waits end on an interrupt.
        nodes: Names of the nodes; each is passed to `work` once.
        work: What to do on one node. It runs in a thread of its own, except for a single node when called from a thread
            other than the main one: that runs in the calling thread.
        progress: Called about once per second with the number of finished nodes and of all nodes; None for no calls.
        at_once: Maximum number of nodes in parallel; None means `AT_ONCE`, which is also the upper bound.

    Returns:
        For each node the result, or the exception that ended the work there.
    """
    names = list(nodes)
    if len(names) == 1 and threading.current_thread() is not threading.main_thread():
        return {names[0]: _attempt(work, names[0])}
    with ThreadPoolExecutor(
        max_workers=min(max(len(names), 1), at_once or AT_ONCE, AT_ONCE), thread_name_prefix="node"
    ) as pool:
        futures = {name: pool.submit(_attempt, work, name) for name in names}
        try:
            _wait_for_all(list(futures.values()), progress)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # comes first, so that no further node starts
            cluster.stop_waiting(ClusterError("the run was interrupted"))
            pool.shutdown(wait=True)
            cluster.stop_waiting(None)
            raise
    return {name: future.result() for name, future in futures.items()}


def results(outcomes: Mapping[str, T | Exception]) -> dict[str, T]:
    """Return the results by node if no node failed.

    Raises:
        Exception: The first exception among the outcomes, if there is one.
    """
    good: dict[str, T] = {}
    for name, outcome in outcomes.items():
        if isinstance(outcome, Exception):
            raise outcome
        good[name] = outcome
    return good


def surviving(outcomes: Mapping[str, T | Exception]) -> dict[str, T]:
    """Like `results`, but leave out the nodes that were lost: the others go on without them."""
    return results({name: outcome for name, outcome in outcomes.items() if not isinstance(outcome, NodeLostError)})


def _attempt(work: Callable[[str], T], name: str) -> T | Exception:
    try:
        return work(name)
    except Exception as error:  # noqa: BLE001 - returned to the caller, who decides what it means for the node
        return error


def _wait_for_all(futures: list[Future[T]], progress: Callable[[int, int], None] | None) -> None:
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=_PROGRESS_INTERVAL, return_when=FIRST_COMPLETED)
        if not done and progress is not None:
            progress(len(futures) - len(pending), len(futures))
