"""What a run saw, as parts of the report: timelines, stays in cells, evidence of failures, and convergence."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A part of the report: frozen, with every field in the schema."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class TimelineEntry(Part):
    """One change that a watch reported, or something that was there before the first change: then it is `as found`."""

    time: float = Field(description="Seconds of the cluster's clock since the run began to watch.")
    kind: str = Field(description="labels, resource, pod, or node: what the timeline of one node holds.")
    subject: str
    change: str
    values: dict[str, str | int | None] = Field(
        default_factory=dict,
        description="New values by name, to be drawn; None if the value is gone. Of labels, only mig.config, its "
        "state, mig.strategy and the deploy labels, by full name; of a resource its count, by field and resource; of "
        "a pod what happened to it, by its label `app` or else its name; of the node the field.",
    )


class LogExcerpt(Part):
    """The last lines of a container's log."""

    pod: str
    container: str
    lines: tuple[str, ...]


class PodStatus(Part):
    """A pod of the operator as it was when evidence was taken."""

    name: str
    app: str
    phase: str
    ready: bool
    restarts: int
    reason: str = Field(default="", description="Why it is not running: reason and message; empty if it is.")


class Evidence(Part):
    """What a node showed in a cell, taken when the first case there did not pass. Long lists are cut, see `cut`.

    A scenario that changes the node after its stay in the cell has evidence of its own.
    """

    node: str
    taken: float = Field(description="When it was taken, in seconds as in `TimelineEntry.time`.")
    timeline: tuple[TimelineEntry, ...] = Field(
        default=(),
        description="The last changes of the node since the first change on the way to the cell, or while "
        "the scenario was at work.",
    )
    logs: tuple[LogExcerpt, ...] = Field(default=(), description="mig-manager first, then the operands.")
    events: tuple[str, ...] = Field(default=(), description="Events about the operands of the node, oldest first.")
    pods: tuple[PodStatus, ...] = Field(default=(), description="The operands of the node.")
    missing: tuple[str, ...] = Field(default=(), description="What could not be read, and why.")
    cut: int = Field(default=0, description="Number of entries and lines that were left out to keep the report small.")


class Stay(Part):
    """A stretch of time in which a node was in a cell, or on its way there."""

    start: float = Field(description="In seconds as in `TimelineEntry.time`.")
    end: float
    strategy: str
    configuration: str


ChangeKind = Literal["label-to-success", "success-to-allocatable", "success-to-labels", "pod-to-running"]
"""The changes whose duration is measured: from the label to the answer of mig-manager, from that to the last count of
allocatable and to the last labels of GPU Feature Discovery, and from the creation of a pod until it is Ready."""


class Convergence(Part):
    """How long one kind of change took on the nodes with one GPU model, in seconds of the cluster's clock."""

    gpu_model: str
    change: ChangeKind
    n: int = Field(description="Number of measurements, at least 1.")
    minimum: float
    median: float
    maximum: float
