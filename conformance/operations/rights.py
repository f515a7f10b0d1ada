"""The rights that the suite needs, as one table: checked before a run begins, and what roles for it must grant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from conformance.cluster.errors import ApiError, ClusterError
from conformance.cluster.transport import Transport
from conformance.spec.names import CLUSTER_POLICY_GROUP, CLUSTER_POLICY_PLURAL

_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_AT_ONCE: Final = 8


class Level(StrEnum):
    """What the suite may do; the value is the option that allows it, and empty for reading."""

    READ = ""
    DISRUPTIVE = "--allow-disruptive"
    CLUSTER_WIDE = "--allow-cluster-wide"
    EXEC = "--allow-exec"
    PUBLISH = "--publish"
    UNPUBLISH = "--unpublish"


class Place(StrEnum):
    """Where a right must hold."""

    CLUSTER = "cluster"
    """In the whole cluster: a ClusterRole."""
    OPERATOR = "operator"
    """In the namespace of the operator."""
    OWN = "own"
    """In the namespace of the suite."""
    PUBLISHED = "published"
    """In the namespace of the published verdict: that of the operator, or the one of `--publish-namespace`."""


@dataclass(frozen=True)
class Rights:
    """Verbs on one resource.

    Attributes:
        level: The level of a run that needs them.
        place: Where they must hold.
        resource: Resource in the plural, with its subresource: `pods/log`.
        verbs: The verbs of RBAC.
        group: API group; empty for the core group.
        optional: Whether a run does without them; its report then lacks what they would have told.
        makes_namespace: Whether only a run needs them that finds no namespace of the suite: it makes and removes one.
    """

    level: Level
    place: Place
    resource: str
    verbs: tuple[str, ...]
    group: str = ""
    optional: bool = False
    makes_namespace: bool = False


_LOOK: Final = ("get", "list", "watch")

RIGHTS: Final = (
    Rights(Level.READ, Place.CLUSTER, "nodes", _LOOK),
    Rights(Level.READ, Place.CLUSTER, "pods", ("list", "watch")),
    Rights(Level.READ, Place.CLUSTER, CLUSTER_POLICY_PLURAL, _LOOK, CLUSTER_POLICY_GROUP),
    Rights(Level.READ, Place.OPERATOR, "daemonsets", ("list", "watch"), "apps"),
    Rights(Level.READ, Place.OPERATOR, "configmaps", ("get", "list")),
    Rights(Level.READ, Place.OPERATOR, "pods/log", ("get",)),
    Rights(Level.READ, Place.CLUSTER, "namespaces", ("get",), optional=True),
    Rights(Level.READ, Place.OPERATOR, "events", ("list",), optional=True),
    Rights(Level.READ, Place.CLUSTER, "gpuclusters", ("list",), CLUSTER_POLICY_GROUP, optional=True),
    Rights(Level.READ, Place.CLUSTER, "poddisruptionbudgets", ("list",), "policy", optional=True),
    Rights(Level.READ, Place.OWN, "configmaps", ("list",), optional=True),
    Rights(Level.DISRUPTIVE, Place.CLUSTER, "nodes", ("patch",)),
    Rights(Level.DISRUPTIVE, Place.CLUSTER, "namespaces", ("watch", "create", "delete"), makes_namespace=True),
    Rights(Level.DISRUPTIVE, Place.OWN, "namespaces", ("get",)),
    Rights(Level.DISRUPTIVE, Place.OPERATOR, "pods", ("get", "patch", "delete")),
    # What was created is read if the answer was lost.
    Rights(Level.DISRUPTIVE, Place.OWN, "pods", ("get", "create", "delete")),
    Rights(Level.DISRUPTIVE, Place.OWN, "pods/log", ("get",)),
    Rights(Level.DISRUPTIVE, Place.OWN, "configmaps", ("get", "list", "create", "update", "patch", "delete")),
    Rights(Level.DISRUPTIVE, Place.OWN, "leases", ("get", "create", "update", "delete"), "coordination.k8s.io"),
    Rights(Level.CLUSTER_WIDE, Place.CLUSTER, CLUSTER_POLICY_PLURAL, ("patch",), CLUSTER_POLICY_GROUP),
    Rights(Level.CLUSTER_WIDE, Place.OPERATOR, "configmaps", ("create", "patch", "delete")),
    # A WebSocket begins with a GET; from v1.35 on, Kubernetes asks for `create` all the same (KEP 2862).
    Rights(Level.EXEC, Place.OPERATOR, "pods/exec", ("get", "create")),
    Rights(Level.PUBLISH, Place.CLUSTER, "nodes", ("patch",)),
    Rights(Level.PUBLISH, Place.PUBLISHED, "configmaps", ("get", "create", "update")),
    Rights(Level.PUBLISH, Place.PUBLISHED, "events", ("create",)),
    Rights(Level.UNPUBLISH, Place.CLUSTER, "nodes", ("list", "patch")),
    Rights(Level.UNPUBLISH, Place.PUBLISHED, "configmaps", ("get", "delete")),
    Rights(Level.UNPUBLISH, Place.PUBLISHED, "events", ("list", "delete")),
)
"""All rights. A run needs those of every level that its options allow, except the optional ones."""


def check_rights(transport: Transport, rights: Iterable[Rights], namespaces: Mapping[Place, str]) -> None:
    """Check that these credentials have all rights; those that are optional are not asked for.

    The arguments are those of `missing_rights`.

    Raises:
        ClusterError: Rights are missing; the message names them in one line, with the options that need them.
        UnreachableError: The server does not answer.
    """
    if lines := [str(one) for one in missing_rights(transport, rights, namespaces)]:
        raise ClusterError(f"these credentials lack rights: {'; '.join(lines)}. Nothing was changed")


@dataclass(frozen=True)
class MissingRight:
    """Verbs that these credentials lack.

    Attributes:
        level: The level of a run that needs them.
        what: The verbs, the resource, and the namespace if there is one.
    """

    level: Level
    what: str

    def __str__(self) -> str:
        return f"{self.what} ({self.level} needs it)" if self.level else self.what


def missing_rights(
    transport: Transport, rights: Iterable[Rights], namespaces: Mapping[Place, str]
) -> tuple[MissingRight, ...]:
    """Ask the server which rights these credentials lack, with SelfSubjectAccessReviews.

    Args:
        transport: The server and the credentials.
        rights: The rights; those that are optional are not asked for.
        namespaces: Namespace by place; the empty one stands for the whole cluster.

    Raises:
        UnreachableError: The server does not answer.
    """
    asked = [(one, verb, namespaces[one.place]) for one in rights if not one.optional for verb in one.verbs]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="review") as pool:
        answers = list(pool.map(lambda right: _may(transport, *right), asked))
    missing: defaultdict[tuple[Rights, str], list[str]] = defaultdict(list)
    for (one, verb, namespace), may in zip(asked, answers, strict=True):
        if not may:
            missing[one, namespace].append(verb)
    return tuple(
        MissingRight(one.level, _described(one, verbs, namespace)) for (one, namespace), verbs in missing.items()
    )


def _may(transport: Transport, one: Rights, verb: str, namespace: str) -> bool:
    resource, _, subresource = one.resource.partition("/")
    attributes = {"group": one.group, "resource": resource, "subresource": subresource, "verb": verb}
    body: dict[str, Any] = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes | ({"namespace": namespace} if namespace else {})},
    }
    try:
        return bool(transport.create(_REVIEWS, body)["status"]["allowed"])
    except ApiError as error:
        if error.status == 401:
            raise
        return True  # who may not ask will hear it from the request itself


def _described(one: Rights, verbs: Iterable[str], namespace: str) -> str:
    name = f"{one.resource}.{one.group}" if one.group else one.resource
    where = f" in namespace {namespace}" if namespace else ""
    return f"{', '.join(verbs)} {name}{where}"
