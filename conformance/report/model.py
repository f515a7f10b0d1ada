"""The report as data: `report.json` is exactly one `Report`, and `schema.json` beside this file is generated from it.

A reader may rely on every field named here; fields are added, never renamed, while `schema_version` stays the same.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from conformance.expect.finding import Finding
from conformance.operations.restore import Restore


class Verdict(StrEnum):
    """The verdict on the cluster."""

    CERTIFIED = "certified"
    """No case failed, every core requirement was judged, and no case was left out."""
    PARTIAL = "partial"
    """No case failed, but cases were left out or did not finish, or a core requirement was not judged."""
    INCONCLUSIVE = "inconclusive"
    """No case failed, but the suite could not judge: other people's changes, a missing right, an API server that does
    not answer. It says nothing about the cluster."""
    NOT_CERTIFIED = "not-certified"
    """A case failed, broke or was blocked, no core case ran, or the cluster was not restored."""


class Outcome(StrEnum):
    """How one case ended."""

    PASSED = "passed"
    FAILED = "failed"
    """The cluster does not do what the requirement says."""
    ERROR = "error"
    """The case could not judge: the cluster did not do what the case had to wait for, or gave an unreadable answer."""
    SKIPPED = "skipped"
    """The case does not apply here; its reason says why."""
    NOT_ALLOWED = "not-allowed"
    """A permission is missing; the reason names the option. Such cases are only counted, see `Report.left_out`."""
    BLOCKED = "blocked"
    """The case could not judge because of something that another case reports; its reason names that case."""
    INCONCLUSIVE = "inconclusive"
    """The suite could not judge; the reason says what kept it from that. This is no finding about the cluster."""


BAD_OUTCOMES: Final = (Outcome.FAILED, Outcome.ERROR, Outcome.BLOCKED)
"""Outcomes that make the verdict `not-certified`."""


class RequirementOutcome(StrEnum):
    """The combined result of the cases of one requirement."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    """No case failed, but at least one could not judge: the requirement counts as not judged."""
    UNTESTED = "untested"
    """No case judged it: there is none, none was selected or allowed, or all were skipped or blocked."""


NOT_JUDGED: Final = (RequirementOutcome.INCONCLUSIVE, RequirementOutcome.UNTESTED)
"""Outcomes of requirements of which the verdict does not speak."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class NodeOutcome(StrEnum):
    """Whether the suite could judge a node."""

    JUDGED = "judged"
    INCONCLUSIVE = "inconclusive"
    """At least one case could not be judged there."""
    LEFT_OUT = "left-out"
    """Pods of other users held its GPUs when the run began, so it was not changed."""


class NodeEnvironment(_Part):
    """One node under test."""

    name: str
    gpu_model: str = Field(description="Product name as NVML spells it; several models are joined with ' + '.")
    gpus: int = Field(description="Physical GPUs of the node; 0 if the number is unknown.")
    configurations: tuple[str, ...] = Field(description="Names of mig-parted configurations that the node offers.")
    remarks: tuple[str, ...] = Field(
        default=(),
        description="Lines that nvidia-smi or the probe printed on the node beside their answers, such as warnings.",
    )
    outcome: NodeOutcome = NodeOutcome.JUDGED
    reason: str = Field(default="", description="Why the node was not judged; empty if it was.")


class Environment(_Part):
    """The components of the cluster. An empty string means that the version is unknown."""

    kubernetes: str = ""
    operator: str = ""
    mig_manager: str = Field(default="", description="Tag of the mig-manager image.")
    device_plugin: str = Field(default="", description="Tag of the device plugin image.")
    feature_discovery: str = Field(default="", description="Tag of the GPU Feature Discovery image.")
    driver: str = ""
    nodes: tuple[NodeEnvironment, ...] = ()


class Case(_Part):
    """One case in one cell on one node."""

    id: str = Field(description="pytest's node id; that of the module where its cases could not be collected.")
    outcome: Outcome
    duration: float = Field(description="Seconds of wall time, set-up and tear-down included.")
    requirements: tuple[str, ...]
    reason: str = Field(default="", description="Why it did not pass; empty for a passed case.")
    finding: Finding | None = Field(default=None, description="None unless a check of the case failed.")


class LeftOut(_Part):
    """Places at which a case was not run, all for the same reason."""

    case: str = Field(description="Name of the case's function.")
    requirements: tuple[str, ...]
    outcome: Literal["not-allowed", "skipped"] = Field(
        description="`not-allowed` if a permission is missing or the node is in use, `skipped` if the run was narrowed."
    )
    reason: str
    places: int = Field(description="Number of places (node and cell) at which it would have run.")


class RequirementResult(_Part):
    """One requirement."""

    id: str
    title: str
    level: Literal["core", "extended"]
    outcome: RequirementOutcome
    cases: Annotated[dict[str, int], Field(description="Number of its cases by outcome.")]
    source: str


class TimelineEntry(_Part):
    """One change that a watch reported."""

    time: float = Field(description="Seconds of the cluster's clock since the run began to watch.")
    kind: str = Field(description="labels, resource, pod, or node: what the timeline of one node holds.")
    subject: str
    change: str


class Reconfigurations(_Part):
    """How often the cluster was brought to another state."""

    made: int = Field(description="Number of times a state was provisioned.")
    distinct: int = Field(description="Number of distinct states that were provisioned.")
    visited: tuple[str, ...] = Field(description="The states in the order in which they were provisioned.")


class Report(_Part):
    """The result of one run."""

    schema_version: Literal[1] = 1
    suite_version: str
    started: str = Field(description="Wall time of the start, ISO 8601 in UTC.")
    duration: float = Field(description="Seconds of wall time.")
    verdict: Verdict
    reasons: tuple[str, ...] = Field(description="Why the verdict is not `certified`; empty if it is.")
    profile: str = Field(
        default="full", description="Which cases the run was to contain, the value of --profile: `core` or `full`."
    )
    backend: str = Field(description="Where the API server came from: the value of --cluster.")
    simulated_gpus: bool
    environment: Environment
    summary: dict[str, int] = Field(description="Number of cases and left-out places by outcome, for every outcome.")
    requirements: tuple[RequirementResult, ...]
    cases: tuple[Case, ...]
    left_out: tuple[LeftOut, ...] = Field(description="What was left out, one entry for each case and reason.")
    spent: dict[str, float] = Field(
        description="Seconds of wall time for start, reconfigurations (label to operands back), scenarios, strategy, "
        "grace, and restore; the rest of the duration went into the cases and pytest."
    )
    api_requests: dict[str, int] = Field(description="Requests sent to the API server, by verb.")
    timelines: dict[str, tuple[TimelineEntry, ...]] = Field(description="Per node, in order.")
    reconfigurations: Reconfigurations
    restore: Restore
