"""The report as data: `report.json` is exactly one `Report`, and `schema.json` beside this file is generated from it.

A reader may rely on every field named here; fields are added, never renamed, while `schema_version` stays the same.

What several cases share is stored once: the rule of a function in `Report.functions`, the evidence of a node in a cell
in `Report.evidence`.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from conformance.expect.finding import Finding
from conformance.operations.restored import Restore
from conformance.preflight.finding import PreflightFinding
from conformance.report.observations import Convergence, Evidence, Part, Stay, TimelineEntry


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


class Required(StrEnum):
    """The least verdict for which a run ends with exit status 0."""

    CERTIFIED = "certified"
    PARTIAL = "partial"


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


class CauseClass(StrEnum):
    """Where the reason lies for which a case did not pass."""

    PRODUCT = "product"
    """In the cluster under test: its GPUs, drivers, and the components of the GPU Operator."""
    ENVIRONMENT = "environment"
    """Around it: what others changed, a missing right, an API server that does not answer."""
    SUITE = "suite"
    """In this suite: a mistake of its own."""


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


class NodeOutcome(StrEnum):
    """Whether the suite could judge a node."""

    JUDGED = "judged"
    INCONCLUSIVE = "inconclusive"
    """At least one case could not be judged there."""
    LEFT_OUT = "left-out"
    """Pods of other users held its GPUs when the run began, so it was not changed."""


class NodeEnvironment(Part):
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


class Environment(Part):
    """The cluster and its components. An empty string means unknown."""

    cluster: str = Field(
        default="", description="Identity of the cluster: UID of its namespace kube-system; empty if it is unknown."
    )
    kubernetes: str = ""
    operator: str = ""
    mig_manager: str = Field(default="", description="Tag of the mig-manager image.")
    device_plugin: str = Field(default="", description="Tag of the device plugin image.")
    feature_discovery: str = Field(default="", description="Tag of the GPU Feature Discovery image.")
    driver: str = ""
    nodes: tuple[NodeEnvironment, ...] = ()


class CaseCell(Part):
    """The cell of a case: a strategy and a configuration."""

    strategy: str
    configuration: str = Field(description="Empty for a node without the label mig.config.")


class CaseFunction(Part):
    """What all cases of one function have in common."""

    module: str = Field(description="File of the function, below the folder of the package.")
    requirements: tuple[str, ...]
    level: Literal["core", "extended"] = Field(description="`core` if one of its requirements is.")
    scenario: str = Field(description="Name of the scenario that gives its evidence.")
    statement: str = Field(description="What must hold: the first paragraph of its docstring.")
    source: str = Field(description="The documentation and source code that say so.")


class Case(Part):
    """One case in one cell on one node."""

    id: str = Field(description="pytest's node id; that of the module where its cases could not be collected.")
    function: str = Field(default="", description="Its key in `Report.functions`; empty if it could not be collected.")
    node: str = Field(default="", description="Name of the node; empty if it could not be collected.")
    cell: CaseCell | None = Field(default=None, description="None if it could not be collected.")
    before: CaseCell | None = Field(
        default=None, description="The cell before a change of strategy; None for a case that watches no such change."
    )
    outcome: Outcome
    duration: float = Field(description="Seconds of wall time, set-up and tear-down included.")
    requirements: tuple[str, ...]
    reason: str = Field(default="", description="Why it did not pass; empty for a passed case.")
    finding: Finding | None = Field(
        default=None, description="None unless a check of the case failed. Its `likely` names likely causes."
    )
    cause: CauseClass | None = Field(default=None, description="None for a case that passed or was skipped.")
    next_steps: tuple[str, ...] = Field(
        default=(), description="What to look at or do next, most useful first; empty for a case that passed."
    )
    evidence: str | None = Field(
        default=None, description="Its key in `Report.evidence`; None for a case that passed, or if there is none."
    )


class LeftOut(Part):
    """Places at which a case was not run, all for the same reason."""

    case: str = Field(description="Name of the case's function.")
    requirements: tuple[str, ...]
    outcome: Literal["not-allowed", "skipped"] = Field(
        description="`not-allowed` if a permission is missing or the node is in use, `skipped` if the run was narrowed."
    )
    reason: str
    places: int = Field(description="Number of places (node and cell) at which it would have run.")


class NotTested(Part):
    """What this run did not test, all for the same reason."""

    reason: str
    cause: Literal["not-allowed", "skipped", "inconclusive", "blocked", "unfinished", "no-case"] = Field(
        description="`unfinished` if the run ended before, `no-case` if no case of the requirement was selected."
    )
    cases: int = Field(description="Number of cases and left-out places; 0 where there is no case.")
    requirements: tuple[str, ...]
    nodes: tuple[str, ...] = Field(description="The nodes concerned, as far as the run knows them by name.")


class RelatedRequirement(Part):
    """A requirement of another programme that asks for the same."""

    id: str
    title: str
    source: str


class RequirementResult(Part):
    """One requirement."""

    id: str
    title: str
    level: Literal["core", "extended"]
    outcome: RequirementOutcome
    cases: Annotated[dict[str, int], Field(description="Number of its cases by outcome.")]
    source: str
    statement: str = Field(default="", description="What must hold.")
    related: tuple[RelatedRequirement, ...] = ()


class Reconfigurations(Part):
    """How often the cluster was brought to another state."""

    made: int = Field(description="Number of times a state was provisioned.")
    distinct: int = Field(description="Number of distinct states that were provisioned.")
    visited: tuple[str, ...] = Field(description="The states in the order in which they were provisioned.")


class Invocation(Part):
    """How the run was started."""

    command: str = Field(default="", description="The command that repeats the run, with its seeds.")
    options: dict[str, str] = Field(default_factory=dict, description="The options that were given, as text.")
    seeds: dict[str, int] = Field(
        default_factory=dict, description="Seed by what it is for: `simulation`, `pytest-randomly`."
    )


class Scope(Part):
    """How much of the cluster the run was to cover; from it, `report merge` knows what several runs cover together."""

    nodes: tuple[str, ...] = Field(default=(), description="Every node of the cluster that can do MIG.")
    narrowed: tuple[str, ...] = Field(default=(), description="How the run was narrowed, one line each.")
    not_run: dict[str, int] = Field(
        default_factory=dict, description="Places at which cases were deselected or did not finish, by function."
    )


class Report(Part):
    """The result of one run."""

    schema_version: Literal[2] = 2
    run: str = Field(default="", description="Id of the run; empty if there is none.")
    suite_version: str
    invocation: Invocation = Field(default_factory=Invocation)
    started: str = Field(description="Wall time of the start, ISO 8601 in UTC.")
    duration: float = Field(description="Seconds of wall time.")
    verdict: Verdict
    reasons: tuple[str, ...] = Field(description="Why the verdict is not `certified`; empty if it is.")
    require: Required = Field(
        default=Required.CERTIFIED, description="The least verdict for exit status 0, the value of --require."
    )
    exit_status: int = Field(default=0, description="Exit status of the run; the README lists all.")
    interrupted: bool = Field(default=False, description="Whether a signal ended the run before its last case.")
    profile: str = Field(
        default="full", description="Which cases the run was to contain, the value of --profile: `core` or `full`."
    )
    backend: str = Field(description="Where the API server came from: the value of --cluster.")
    simulated_gpus: bool
    environment: Environment
    scope: Scope = Field(default_factory=Scope)
    summary: dict[str, int] = Field(description="Number of cases and left-out places by outcome, for every outcome.")
    requirements: tuple[RequirementResult, ...]
    functions: dict[str, CaseFunction] = Field(
        default_factory=dict, description="The rules that cases check, by name of the function."
    )
    cases: tuple[Case, ...]
    evidence: dict[str, Evidence] = Field(
        default_factory=dict, description="What nodes showed where cases did not pass, by cell and node."
    )
    not_tested: tuple[NotTested, ...] = Field(default=(), description="What could not be tested here, and why.")
    left_out: tuple[LeftOut, ...] = Field(description="What was left out, one entry for each case and reason.")
    preflight: tuple[PreflightFinding, ...] = Field(
        default=(), description="What was found before the run that keeps it from judging, or may disturb it."
    )
    spent: dict[str, float] = Field(
        description="Seconds of wall time for start, reconfigurations (label to operands back), scenarios, strategy, "
        "grace, and restore; the rest of the duration went into the cases and pytest."
    )
    api_requests: dict[str, int] = Field(description="Requests sent to the API server, by verb.")
    timelines: dict[str, tuple[TimelineEntry, ...]] = Field(description="Per node, in order.")
    stays: dict[str, tuple[Stay, ...]] = Field(
        default_factory=dict, description="The cells of each node, in order of time."
    )
    convergence: tuple[Convergence, ...] = ()
    reconfigurations: Reconfigurations
    restore: Restore
