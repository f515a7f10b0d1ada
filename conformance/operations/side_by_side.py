"""Runs work on many nodes in parallel, with a thread for each node, because nearly all of the time is waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
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
    outcomes: dict[str, T | Exception] = {}
    interrupted = threading.Event()

    def attempt(name: str) -> None:
        if not interrupted.is_set():
            outcomes[name] = _attempt(work, name)

    def attempt_all() -> None:
        with ThreadPoolExecutor(
            min(max(len(names), 1), at_once or AT_ONCE, AT_ONCE), thread_name_prefix="node"
        ) as pool:
            for _ in pool.map(attempt, names):
                pass

    def tell() -> None:
        if progress is not None:
            progress(len(outcomes), len(names))

    if threading.current_thread() is threading.main_thread():
        _in_thread(cluster, attempt_all, interrupted, tell)
    elif len(names) == 1:
        attempt(names[0])
    else:
        attempt_all()
    return {name: outcomes[name] for name in names}


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


def _in_thread(
    cluster: Cluster, work: Callable[[], None], interrupted: threading.Event, tell: Callable[[], None]
) -> None:
    """Run `work` in a thread, and call `tell` about once per second until it has ended.

    An interrupt reaches only the main thread, but may do so at any instruction. If it came while a pool starts a
    thread, the pool could lose track of that thread, and nobody would end it. So the main thread starts only this one
    thread, which runs nothing if its future has been cancelled by then.
    """
    future: Future[None] = Future()

    def run() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised in the main thread
            future.set_exception(error)
        else:
            future.set_result(None)

    try:
        threading.Thread(target=run, name="side by side").start()
        while not wait([future], timeout=_PROGRESS_INTERVAL).done:
            tell()
    except BaseException:
        interrupted.set()  # comes first, so that no further node starts
        if not future.cancel():
            cluster.stop_waiting(ClusterError("the run was interrupted"))
            wait([future])
            cluster.stop_waiting(None)
        raise
    future.result()
