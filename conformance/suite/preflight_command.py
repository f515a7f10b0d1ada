"""`mig-conformance preflight`: says what in a cluster keeps a run from judging, or may disturb it; changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from conformance.backends.backend import BackendError, Permissions
from conformance.backends.live import CONTEXT, KUBECONFIG, LiveBackend
from conformance.cluster.connecting import connect
from conformance.cluster.errors import ClusterError
from conformance.cluster.limits import TIMEOUTS, Limits
from conformance.expect.versions import Declared
from conformance.flags import CommandParser, OptionError, declare, flag, one_of, read
from conformance.preflight.finding import PreflightFinding
from conformance.preflight.reading import Wanted, read_snapshot
from conformance.preflight.table import blocking, find
from conformance.preflight.text import NOTHING, data, lines
from conformance.suite.declared_versions import DECLARED_VERSIONS
from conformance.suite.options import DEFAULT_IMAGE
from conformance.suite.preflight import levels_of, pods_to_try

JSON: Final = "json"


class Exit(IntEnum):
    """Exit status."""

    NOTHING_BLOCKS = 0
    BLOCKED = 1
    NOT_LOOKED = 4


@dataclass(frozen=True)
class PreflightOptions:
    """The options of `mig-conformance preflight`.

    Attributes:
        kubeconfig: Kubeconfig of the cluster; None for the one that kubectl would use.
        context: Context of the kubeconfig; None for its current one.
        nodes: Names of the nodes to look at; empty for all.
        image: Image of the pods of the suite, which admission is asked about.
        declared_versions: Declared images by component, from Helm values; empty if no file was given.
        output: `text` or `json`.
        limits: Time limits of all waits.
    """

    kubeconfig: Path | None = field(default=None, metadata=KUBECONFIG)
    context: str | None = field(default=None, metadata=CONTEXT)
    nodes: tuple[str, ...] = field(
        default=(), metadata=flag("--node", metavar="NAME", help="look only at this node", default="all nodes")
    )
    image: str = field(default=DEFAULT_IMAGE, metadata=flag("--image", help="image for the pods of the suite"))
    declared_versions: Mapping[str, Declared] = field(default_factory=dict, metadata=DECLARED_VERSIONS)
    output: str = field(
        default="text", metadata=flag("--output", metavar="text|json", read=one_of("text", JSON), help="format")
    )
    limits: Limits = field(default_factory=Limits, metadata=TIMEOUTS)


def main(arguments: Sequence[str]) -> tuple[int, list[str]]:
    """Run the command; returns the exit status and the lines to print.

    0: nothing blocks. 1: something blocks. 4: the cluster could not be looked at; one line says why.
    """
    parser = CommandParser(prog="mig-conformance preflight", description=__doc__)
    declare(PreflightOptions, parser.add_argument)
    declare(Permissions, parser.add_argument_group("what a run is to be allowed").add_argument)
    given = vars(parser.parse_args(arguments))
    try:
        options, permissions = read(PreflightOptions, given), read(Permissions, given)
        backend = LiveBackend(options.kubeconfig, options.context, permissions, options.limits)
        try:
            attachment = backend.start()
            with closing(connect(attachment.kubeconfig, attachment.context, options.limits)) as transport:
                wanted = Wanted(
                    nodes=options.nodes,
                    levels=levels_of(permissions),
                    pods=pods_to_try(options.image, reboot=permissions.reboot) if permissions.disruptive else {},
                    declared=options.declared_versions,
                )
                snapshot = read_snapshot(transport, wanted)
        finally:
            backend.stop()
    except (OptionError, BackendError, ClusterError) as error:
        return Exit.NOT_LOOKED, [f"ERROR: {error}"]
    findings = find(snapshot)
    status = Exit.BLOCKED if blocking(findings) else Exit.NOTHING_BLOCKS
    return status, [_as_json(findings)] if options.output == JSON else list(lines(findings)) or [NOTHING]


def _as_json(findings: Sequence[PreflightFinding]) -> str:
    found: dict[str, Any] = {"blocked": bool(blocking(findings)), "findings": data(findings)}
    return json.dumps(found, indent=2)
