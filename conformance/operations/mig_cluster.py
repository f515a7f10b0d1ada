"""`MigCluster`: a cluster that the suite may change, recording every change in a journal first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from http import HTTPStatus
from typing import Any, Final

from conformance.cluster import paths
from conformance.cluster.client import Cluster
from conformance.cluster.clock import ClusterClock
from conformance.cluster.errors import ApiError
from conformance.cluster.pod_view import RUN_LABEL, PodView
from conformance.cluster.transport import PatchKind, Transport
from conformance.cluster.views import PolicyView, Raw
from conformance.operations.errors import ForeignChangeError
from conformance.operations.fields import Field, Value, by, cordon, guarded_patch, label, look_up, policy_field
from conformance.operations.guard import Guard
from conformance.operations.journal import Journal
from conformance.operations.namespace import unless_deleted
from conformance.spec.names import MIG_CONFIG_STATE

_ATTEMPTS: Final = 20
"""How often a patch is sent again because another client wrote to other fields of the object at the same moment."""
_CHANGED_MEANWHILE: Final = (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)


class MigCluster(Cluster):
    """A cluster under test. Whatever the suite changes in objects of others, it changes through this class.

    `change`, `change_all` and `create` take any field of any object. Each of them first records in the journal what is
    there and what will be written, and then writes only if the field still has the value that the suite knows. So
    nothing that somebody else wrote is overwritten, and the restore can put back exactly what the suite changed.
    The other methods are short forms for frequent changes.

    Attributes:
        guard: Detects changes by others; every wait calls it, with its node, before each check of its condition.
        journal: Records every change; None before `Safekeeping` sets it, and then nothing is recorded.
    """

    def __init__(self, transport: Transport, clock: ClusterClock, namespace: str) -> None:
        super().__init__(transport, clock, namespace)
        self.guard = Guard(self.timeline, self.writes, self.limits.node_away)
        self.before_check = self.guard.check
        self.journal: Journal | None = None

    def change(self, field: Field, value: Value) -> None:
        """Change one field of one object, and have it put back at the end of the run.

        For example `cluster.change(policy_field(name, "migManager", "config", "name"), "my-config")`. The functions
        `label`, `annotation`, `cordon`, `policy_field` and `config_map_key` of `conformance.operations.fields` make
        fields. At the end of the run, the field gets its original value back, unless it no longer has the value that
        the suite wrote last. The suite may change a field any number of times.

        Args:
            field: The field.
            value: New value, as JSON data; None removes the field. A list is replaced as a whole.

        Raises:
            ForeignChangeError: Somebody else changed the field since the suite wrote it; their value stays.
            NodeLostError: The same, for a field of a node.
            ApiError: The object does not exist, or the server rejected the change; nothing was changed.
            ClusterError: The journal could not be written; nothing was changed.
        """
        self.change_all({field: value})

    def change_all(
        self,
        values: Mapping[Field, Value],
        unrecorded: Mapping[Field, Value] | None = None,
        seen: Mapping[Field, Value] | None = None,
    ) -> None:
        """Change several fields of one object in one patch; see `change`.

        Args:
            values: New values, by field.
            unrecorded: New values of fields of that object that the product writes all the time. They are neither
                compared with what the suite knows nor recorded.
            seen: Values that led to the decision to make the change. A field that the suite has not changed yet must
                still have this value.

        Raises:
            ForeignChangeError, NodeLostError, ApiError, ClusterError: As for `change`.
        """
        unguarded = unrecorded or {}
        (path,) = {field.object for field in (*values, *unguarded)}

        known = self.journal.entries[path].changes if self.journal and path in self.journal.entries else {}
        decided = {field: value for field, value in (seen or {}).items() if field not in known}

        def write(raw: Raw) -> None:
            for field, value in decided.items():
                if (now := look_up(raw, field.keys)) != value:
                    raise ForeignChangeError(f"somebody else changed {field}: {value} -> {now}{by(raw, field)}")
            with self.journal.changing(raw, values) if self.journal and values else nullcontext():
                if patch := guarded_patch(raw, values, unguarded):
                    self.patch(path, patch, PatchKind.JSON)

        try:
            self.rewrite(path, write)
        except ForeignChangeError as error:
            if not path.startswith(paths.nodes()):
                raise
            raise self.guard.lose(path.rpartition("/")[2], str(error)) from error

    def rewrite(self, path: str, write: Callable[[Raw], None]) -> None:
        """Read an object and call `write` with it; again if somebody else wrote to the object at the same moment.

        Raises:
            ApiError: The object does not exist, or the server rejected the write.
        """
        raw = self.transport.get(path)
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                write(raw)
            except ApiError as error:
                before, raw = raw, self.transport.get(path)
                meanwhile = raw["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
                if not attempts_left or error.status not in _CHANGED_MEANWHILE or not meanwhile:
                    raise
            else:
                return

    def create(self, collection: str, body: Mapping[str, Any]) -> None:
        """Create an object, and have it deleted at the end of the run unless somebody else changed it.

        The object gets the label of the run. Pods are created with `create_pod`, which needs no entry in the journal.

        Args:
            collection: Path of the collection, such as `paths.config_maps(namespace)`.
            body: The object, with `metadata.name`.

        Raises:
            ApiError: There is such an object already, or the server rejected this one.
            ClusterError: The journal could not be written; nothing was created.
        """
        run = self.journal.run if self.journal else ""
        meta = {**body["metadata"], "labels": {**(body["metadata"].get("labels") or {}), RUN_LABEL: run}}
        body = {**body, "metadata": meta}
        whole = Field(f"{collection}/{meta['name']}", ())
        with self.journal.changing(None, {whole: body}) if self.journal else nullcontext():
            self.transport.create(collection, body)

    def create_pod(self, manifest: Mapping[str, Any]) -> PodView:
        """See `Cluster.create_pod`.

        Raises:
            ForeignChangeError: Somebody deleted the suite's namespace.
        """
        try:
            return super().create_pod(manifest)
        except ApiError as error:
            raise unless_deleted(self, error) from error

    def set_labels(self, node: str, labels: Mapping[str, str | None]) -> None:
        """Set labels of a node in one patch; a value of None removes the label. The state label is not recorded.

        Raises:
            ForeignChangeError, NodeLostError, ApiError, ClusterError: As for `change`.
        """
        fields = {label(node, key): value for key, value in labels.items()}
        state = {field: value for field, value in fields.items() if field.label == MIG_CONFIG_STATE}
        self.change_all({field: value for field, value in fields.items() if field not in state}, state)

    def set_unschedulable(self, node: str, *, unschedulable: bool) -> None:
        """Cordon or uncordon a node.

        Raises:
            ForeignChangeError, NodeLostError, ApiError, ClusterError: As for `change`.
        """
        self.change(cordon(node), unschedulable or None)

    def set_strategy(self, strategy: str | None) -> PolicyView:
        """Set `spec.mig.strategy` of the ClusterPolicy; None removes the field.

        Returns:
            The ClusterPolicy before the change.

        Raises:
            ForeignChangeError, NodeLostError, ApiError, ClusterError: As for `change`.
        """
        policy = self.policy()
        field = policy_field(policy.name, "mig", "strategy")
        self.change_all({field: strategy}, seen={field: policy.strategy})
        return policy
