"""Writes the verdict of a run into the cluster, and removes it again: a ConfigMap, an Event, and annotations of nodes.

The verdict outlives the run, so it does not go into the suite's own namespace. No object of somebody else is written:
a ConfigMap without the suite's label, or an annotation with another field manager, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from conformance.cluster import paths
from conformance.cluster.errors import ApiError, ClusterError
from conformance.cluster.transport import FIELD_MANAGER, PatchKind, Transport
from conformance.operations.fields import Field, annotation, guarded_patch, writers
from conformance.spec.times import api_time

CONFIG_MAP: Final = "mig-conformance-verdict"
"""Name of the ConfigMap, and beginning of the names of the Events."""
ANNOTATIONS: Final = "mig-conformance/"
"""Prefix of the annotations of nodes."""
PLACE: Final = f"{ANNOTATIONS}config-map"
"""Annotation that names the ConfigMap, as namespace/name."""
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
_OWN: Final = {MANAGED_BY: FIELD_MANAGER}
_SELECTOR: Final = {"labelSelector": f"{MANAGED_BY}={FIELD_MANAGER}"}
_MESSAGE_LIMIT: Final = 1000
"""Characters of an Event's message; the API server takes 1024."""
_AT_ONCE: Final = 8


@dataclass(frozen=True)
class Publication:
    """What is written into the cluster.

    Attributes:
        verdict: The verdict of the run.
        good: Whether it is one that a gate may accept; the Event is a warning if not.
        time: When the run began, ISO 8601 in UTC.
        gpus: `real` or `simulated`: a verdict on simulated GPUs says nothing about hardware.
        suite: Version of the suite.
        report: Digest of the file report.json: `sha256:` and 64 hexadecimal digits.
        headline: The verdict and its reasons in one line.
        summary: The summary as text.
        nodes: What became of each node under test, by name.
    """

    verdict: str
    good: bool
    time: str
    gpus: str
    suite: str
    report: str
    headline: str
    summary: str
    nodes: Mapping[str, str]

    @property
    def facts(self) -> dict[str, str]:
        """What the ConfigMap and every node say."""
        return {name: getattr(self, name) for name in ("verdict", "time", "gpus", "suite", "report")}


@dataclass(frozen=True)
class Removal:
    """What became of published verdicts that were to be removed, one line for each object or kind of object.

    Attributes:
        done: What was removed, and what was left because it is not of the suite.
        failed: What could not be removed, and why.
    """

    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def publish(transport: Transport, namespace: str, publication: Publication) -> list[str]:
    """Write a publication in place of the last one.

    Args:
        transport: The API server.
        namespace: Where ConfigMap and Event go; it must exist.
        publication: What to write.

    Returns:
        What could not be written on nodes, one line for each.

    Raises:
        ClusterError: The ConfigMap or the Event could not be written. The nodes were left as they are.
    """
    written = _write_config_map(transport, namespace, publication)
    transport.create(paths.events(namespace), _event(namespace, written, publication))
    place = {PLACE: f"{namespace}/{CONFIG_MAP}"}
    facts = {f"{ANNOTATIONS}{name}": value for name, value in publication.facts.items()} | place

    def annotate(node: str, outcome: str) -> None:
        values = facts | {f"{ANNOTATIONS}node": outcome}
        transport.patch(paths.node(node), {"metadata": {"annotations": values}})

    return _each((node, partial(annotate, node, outcome)) for node, outcome in publication.nodes.items())


def unpublish(transport: Transport, namespaces: Iterable[str]) -> Removal:
    """Remove every publication: what the suite wrote, and nothing else.

    Args:
        transport: The API server.
        namespaces: Where to look for ConfigMap and Events, beside the namespaces that the nodes name.

    Raises:
        ClusterError: The nodes cannot be listed; nothing was changed.
    """
    nodes = {raw["metadata"]["name"]: raw for raw in transport.list(paths.nodes())}
    owned = {name: own for name, raw in nodes.items() if (own := _own_annotations(raw))}
    named = {
        nodes[name]["metadata"]["annotations"][PLACE].partition("/")[0]
        for name, fields in owned.items()
        if any(field.keys[-1] == PLACE for field in fields)
    }
    done: list[str] = []
    failed: list[str] = []
    for namespace in sorted({*namespaces, *named}):
        try:
            done.extend(_remove_from(transport, namespace))
        except ClusterError as error:
            failed.append(f"namespace {namespace}: {error}")

    def clear(name: str, fields: list[Field]) -> None:
        patch = guarded_patch(nodes[name], dict.fromkeys(fields), {})
        transport.patch(paths.node(name), patch, PatchKind.JSON)

    uncleared = _each((name, partial(clear, name, fields)) for name, fields in owned.items())
    if cleared := len(owned) - len(uncleared):
        done.append(f"removed the annotations of {cleared} {'node' if cleared == 1 else 'nodes'}")
    return Removal(tuple(done), (*failed, *uncleared))


def refuse_missing(transport: Transport, namespace: str) -> None:
    """Raise an error if the namespace for the publication does not exist.

    Raises:
        ClusterError: It does not exist; nothing was changed.
    """
    try:
        transport.get(paths.namespace(namespace))
    except ApiError as error:
        if error.not_found:
            raise ClusterError(
                f"--publish writes to namespace {namespace}, which does not exist: create it, or name another with "
                "--publish-namespace. Nothing was changed"
            ) from error
        if error.status != HTTPStatus.FORBIDDEN:  # who may not see the namespace may write to it all the same
            raise


def _write_config_map(transport: Transport, namespace: str, publication: Publication) -> dict[str, Any]:
    path = paths.config_map(namespace, CONFIG_MAP)
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG_MAP, "namespace": namespace, "labels": _OWN},
        "data": publication.facts | {"summary": publication.summary},
    }
    try:
        found = transport.get(path)
    except ApiError as error:
        if not error.not_found:
            raise
        return transport.create(paths.config_maps(namespace), body)
    if not _is_own(found):
        raise ClusterError(
            f"configmap {namespace}/{CONFIG_MAP} is not of the suite: it lacks the label {MANAGED_BY}={FIELD_MANAGER}; "
            "delete it, or name another namespace with --publish-namespace"
        )
    return transport.replace(path, body)


def _event(namespace: str, config_map: Mapping[str, Any], publication: Publication) -> dict[str, Any]:
    now = datetime.now(tz=UTC)
    meta = config_map["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{CONFIG_MAP}.{round(now.timestamp() * 1e6):x}",
            "namespace": namespace,
            "labels": _OWN,
        },
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": CONFIG_MAP,
            "namespace": namespace,
            "uid": meta["uid"],
        },
        "type": "Normal" if publication.good else "Warning",
        "reason": "".join(word.capitalize() for word in publication.verdict.split("-")),
        "message": publication.headline[:_MESSAGE_LIMIT],
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "reportingInstance": publication.suite,
        "firstTimestamp": api_time(now),
        "lastTimestamp": api_time(now),
        "count": 1,
    }


def _remove_from(transport: Transport, namespace: str) -> Iterator[str]:
    path = paths.config_map(namespace, CONFIG_MAP)
    try:
        own = _is_own(transport.get(path))
    except ApiError as error:
        if not error.not_found:
            raise
    else:
        if own:
            transport.delete(path)
        yield f"{'removed' if own else 'left, because it is not of the suite:'} configmap {namespace}/{CONFIG_MAP}"
    events = [found["metadata"]["name"] for found in transport.list(paths.events(namespace), _SELECTOR)]
    for name in events:
        transport.delete(f"{paths.events(namespace)}/{name}")
    if events:
        yield f"removed {len(events)} {'event' if len(events) == 1 else 'events'} in namespace {namespace}"


def _own_annotations(raw: Mapping[str, Any]) -> list[Field]:
    """Annotations of a node that the suite wrote and nobody else has written since."""
    meta = raw["metadata"]
    keys = [key for key in meta.get("annotations") or {} if key.startswith(ANNOTATIONS)]
    fields = [annotation(meta["name"], key) for key in keys]
    return [field for field in fields if not (who := writers(raw, field)) or FIELD_MANAGER in who]


def _is_own(raw: Mapping[str, Any]) -> bool:
    return (raw["metadata"].get("labels") or {}).get(MANAGED_BY) == FIELD_MANAGER


def _each(work: Iterable[tuple[str, Callable[[], None]]]) -> list[str]:
    """Do the work on all nodes, some at the same time; return one line for each node where it failed."""

    def one(named: tuple[str, Callable[[], None]]) -> str:
        name, act = named
        try:
            act()
        except ClusterError as error:
            return f"node {name}: {error}"
        return ""

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="publish") as pool:
        return [line for line in pool.map(one, work) if line]
