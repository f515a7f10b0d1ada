"""Checks of what a node asks mig-manager for, and of its answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from conformance.cluster.views import timestamp
from conformance.operations.fields import label, look_up
from conformance.preflight.cluster_policy import enabled
from conformance.preflight.finding import Seen
from conformance.preflight.snapshot import SeenNode, Snapshot
from conformance.spec.mig_parted import ConfigurationError, Configurations, parse
from conformance.spec.names import (
    CONFIG_KEY,
    DEFAULT_CONFIG_MAP,
    DEPLOY_MIG_MANAGER,
    GPU_PRODUCT,
    MIG_CONFIG,
    MIG_CONFIG_STATE,
    MIG_RESOURCE_PREFIX,
    State,
    generated_config_map,
)

_STUCK: Final = timedelta(minutes=15)
"""mig-manager waits up to five minutes for each of its operands, and a reboot takes as long."""
_AT_WORK: Final = (State.PENDING, State.REBOOTING)
_LOG: Final = "see the log of nvidia-mig-manager on the node"


def files(snapshot: Snapshot) -> Iterator[Seen]:
    """The file with the configurations of a node is missing, or mig-parted would refuse it."""
    for node in _managed(snapshot):
        name, problem, _ = _file_of(snapshot, node)
        if problem:
            fix = f"correct ConfigMap {name} in namespace {snapshot.namespace}"
            yield Seen(str(node), problem, fix)


def unknown_name(snapshot: Snapshot) -> Iterator[Seen]:
    """The label of a node names no configuration of its file."""
    for node in _managed(snapshot):
        wanted, (source, _, found) = node.labels.get(MIG_CONFIG), _file_of(snapshot, node)
        if wanted and found is not None and wanted not in found.entries:
            names = ", ".join(found.entries)
            fix = f"set the label to one of {names}"
            yield Seen(str(node), f"{MIG_CONFIG}={wanted} names no configuration of ConfigMap {source}", fix)


def failed(snapshot: Snapshot) -> Iterator[Seen]:
    """mig-manager could not apply the configuration of a node."""
    for node in snapshot.mig_nodes:
        if node.labels.get(MIG_CONFIG_STATE) == State.FAILED:
            found = f"{MIG_CONFIG}={node.labels.get(MIG_CONFIG, 'absent')} is in state {State.FAILED}"
            yield Seen(str(node), found, f"{_LOG}; it tries again when the label changes")


def at_work(snapshot: Snapshot) -> Iterator[Seen]:
    """mig-manager is changing a node at the moment."""
    yield from (seen for seen, late in _pending(snapshot) if not late)


def stuck(snapshot: Snapshot) -> Iterator[Seen]:
    """mig-manager began to change a node long ago and has not finished."""
    yield from (seen for seen, late in _pending(snapshot) if late)


def no_answer(snapshot: Snapshot) -> Iterator[Seen]:
    """A node asks for a configuration, and mig-manager has not answered."""
    for node in _managed(snapshot):
        if node.labels.get(MIG_CONFIG) and not node.labels.get(MIG_CONFIG_STATE):
            yield Seen(str(node), f"{MIG_CONFIG}={node.labels[MIG_CONFIG]}, but no {MIG_CONFIG_STATE}", _LOG)


def cut_by_others(snapshot: Snapshot) -> Iterator[Seen]:
    """The GPUs of a node are divided, and its label does not say so: something else than mig-manager has done it."""
    for node in snapshot.mig_nodes:
        wanted = node.labels.get(MIG_CONFIG, "")
        _, _, found = _file_of(snapshot, node)
        entries = found.entries.get(wanted, ()) if found else ()
        divides = any(entry.enabled for entry in entries)
        known = not wanted or (found is not None and wanted in found.entries)
        if _is_divided(node) and known and not divides and node.labels.get(MIG_CONFIG_STATE) not in _AT_WORK:
            named = f"{MIG_CONFIG}={wanted}" if wanted else f"no label {MIG_CONFIG}"
            fix = f"set {MIG_CONFIG} to the configuration of its GPUs, or stop what divides them"
            yield Seen(str(node), f"its GPUs are divided, but it has {named}", fix)


def _pending(snapshot: Snapshot) -> Iterator[tuple[Seen, bool]]:
    for node in snapshot.mig_nodes:
        state = node.labels.get(MIG_CONFIG_STATE)
        if state in _AT_WORK:
            since = _since(node)
            late = since is not None and snapshot.taken - since > _STUCK
            when = f" since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
            fix = _LOG if late else f"wait for {State.SUCCESS} or {State.FAILED}"
            yield Seen(str(node), f"{MIG_CONFIG_STATE} is {state}{when}", fix), late


def _since(node: SeenNode) -> datetime | None:
    """When the state label was last written, by the managed fields; None if the server does not record it."""
    keys = tuple(f"f:{key}" for key in label(node.name, MIG_CONFIG_STATE).keys)
    entries = node.raw["metadata"].get("managedFields") or ()
    times = [one["time"] for one in entries if "time" in one and look_up(one.get("fieldsV1"), keys) is not None]
    return timestamp(max(times)) if times else None


def _is_divided(node: SeenNode) -> bool:
    sliced = any(name.startswith(MIG_RESOURCE_PREFIX) for name in node.view.advertised)
    return sliced or "-MIG-" in node.labels.get(GPU_PRODUCT, "")


def _managed(snapshot: Snapshot) -> Iterator[SeenNode]:
    """The nodes that mig-manager looks after."""
    if snapshot.policy is not None and enabled(snapshot.policy, "migManager"):
        yield from (node for node in snapshot.mig_nodes if node.labels.get(DEPLOY_MIG_MANAGER) != "false")


def _file_of(snapshot: Snapshot, node: SeenNode) -> tuple[str, str, Configurations | None]:
    """Return the name of the ConfigMap of a node, what is wrong with it, and its content."""
    custom = snapshot.policy.view.config_name if snapshot.policy else None
    names = (custom,) if custom else (generated_config_map(node.name), DEFAULT_CONFIG_MAP)
    name = next((name for name in names if name in snapshot.config_maps), None)
    if name is None:
        unread = any(path.endswith("/configmaps") for path in snapshot.unread)
        return names[0], "" if unread else f"there is no ConfigMap {' or '.join(names)}", None
    text = snapshot.config_maps[name].get(CONFIG_KEY)
    if text is None:
        return name, f"ConfigMap {name} has no key {CONFIG_KEY}", None
    found = _read(text)
    return (
        (name, f"mig-parted would refuse ConfigMap {name}: {found}", None)
        if isinstance(found, str)
        else (name, "", found)
    )


@lru_cache(maxsize=64)
def _read(text: str) -> Configurations | str:
    """Read a file, once for all nodes that have the same; what is wrong with it if mig-parted would refuse it."""
    try:
        return parse(text)
    except ConfigurationError as error:
        return str(error)
