"""What differs between versions of mig-manager.

Source: NVIDIA/mig-parted, CHANGELOG.md up to v0.15.0, deployments/container/reconfigure-mig.sh, and pull request 484.
"""

from __future__ import annotations

from dataclasses import dataclass

from conformance.spec.releases import DEFAULT_RELEASE, VersionError, at_least, find_release


@dataclass(frozen=True)
class Behaviour:
    """How one version behaves.

    Attributes:
        script: A shell script does each reconfiguration (up to v0.12); the Go port came with v0.13.0.
        generates: The configuration comes from the hardware where no file is given (from v0.14.0).
        subsystem_filters: A device filter may name a PCI subsystem (from v0.15.0; before, such a one matches nothing).
        pauses_client: The label `nvidia.com/gpu.deploy.client` is paused with the others (from v0.15.0).
        answers_when_stuck: A run that gives up waiting for pods ends in `failed`, not in `pending` (after v0.15.0).
    """

    script: bool
    generates: bool
    subsystem_filters: bool
    pauses_client: bool
    answers_when_stuck: bool

    @classmethod
    def of(cls, version: str) -> Behaviour:
        """Behaviour of an image tag; a tag that is no version counts as what the default release ships."""
        try:
            return cls._of(version)
        except VersionError:
            return cls._of(find_release(DEFAULT_RELEASE).mig_manager)

    @classmethod
    def _of(cls, version: str) -> Behaviour:
        return cls(
            script=not at_least(version, "v0.13.0"),
            generates=at_least(version, "v0.14.0"),
            subsystem_filters=at_least(version, "v0.15.0"),
            pauses_client=at_least(version, "v0.15.0"),
            answers_when_stuck=at_least(version, "v0.15.1"),
        )
