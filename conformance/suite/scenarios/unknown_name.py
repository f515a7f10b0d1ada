"""Scenarios: requests for names that the node's mig-parted file does not have."""

from __future__ import annotations

from typing import ClassVar, Final

from conformance.expect.trial import Refusal
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import FailureScenario
from conformance.suite.trials import refusal

UNKNOWN_NAME: Final = "mig-conformance-unknown"
"""A name that no mig-parted file has."""


class RequestUnknownName(FailureScenario[None, Refusal]):
    """Requests a configuration that does not exist, then the one of the cell."""

    summary: ClassVar = "request an unknown configuration, then the one of the cell"
    cost: ClassVar = 5.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> Refusal:
        """Make both requests."""
        del started
        return refusal(node, UNKNOWN_NAME)


class RequestBareProfile(FailureScenario[None, Refusal]):
    """Requests a profile of the GPUs by its own name, such as `1g.10gb` in place of `all-1g.10gb`."""

    summary: ClassVar = "request a profile by its bare name, then the configuration of the cell"
    cost: ClassVar = 5.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> Refusal:
        """Make both requests."""
        del started
        profiles = {profile.base for gpu in node.expected.wanted for profile in gpu.instances}
        names = sorted(str(profile) for profile in profiles)
        offered = node.target.configurations.entries
        return refusal(node, next((name for name in names if name not in offered), UNKNOWN_NAME))
