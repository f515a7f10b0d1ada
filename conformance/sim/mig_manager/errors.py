"""How a step of a reconfiguration fails."""


class StepError(Exception):
    """A step failed: the run ends in the state `failed`. The text is what the log says after `Error: `."""


class StuckError(StepError):
    """A step failed that up to v0.15.0 leaves every label as it is: the state stays `pending`, the operands paused."""
