"""The settings of mig-manager, from the environment of its container, and the behaviour of its versions.

Source for versions: NVIDIA/mig-parted, CHANGELOG.md up to v0.15.0, deployments/container/reconfigure-mig.sh, and pull
request 484.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from conformance.spec.releases import DEFAULT_RELEASE, VersionError, at_least, find_release

HOST_MOUNT: Final = "/host"
"""Mount path of the host's root in the operator's DaemonSet."""


@dataclass(frozen=True)
class Settings:
    """The environment of the container, as cmd/nvidia-mig-manager/main.go reads it.

    Attributes:
        node: NODE_NAME.
        config_file: CONFIG_FILE; empty for none.
        default_config_file: DEFAULT_CONFIG_FILE; empty for none.
        clients_namespace: DEFAULT_GPU_CLIENTS_NAMESPACE, the namespace of the operands.
        clients_file: GPU_CLIENTS_FILE, which lists services on the host; empty for none.
        with_reboot: WITH_REBOOT.
        cdi_enabled: CDI_ENABLED.
        host_mount: HOST_ROOT_MOUNT.
    """

    node: str
    config_file: str
    default_config_file: str
    clients_namespace: str
    clients_file: str
    with_reboot: bool
    cdi_enabled: bool
    host_mount: str

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Settings:
        """Return the settings in an environment; missing variables have the program's defaults."""
        return cls(
            node=env.get("NODE_NAME", ""),
            config_file=env.get("CONFIG_FILE", ""),
            default_config_file=env.get("DEFAULT_CONFIG_FILE", ""),
            clients_namespace=env.get("DEFAULT_GPU_CLIENTS_NAMESPACE", "default"),
            clients_file=env.get("GPU_CLIENTS_FILE", ""),
            with_reboot=_is_true(env.get("WITH_REBOOT", "")),
            cdi_enabled=_is_true(env.get("CDI_ENABLED", "")),
            host_mount=env.get("HOST_ROOT_MOUNT", HOST_MOUNT),
        )


def _is_true(text: str) -> bool:
    """Parse a boolean like Go; any other text counts as false."""
    return text in {"1", "t", "T", "true", "TRUE", "True"}


@dataclass(frozen=True)
class Behaviour:
    """Behaviour of one version.

    Attributes:
        script: Whether a shell script does each reconfiguration (up to v0.12), not Go code (from v0.13.0).
        generates: Whether it generates a configuration from the hardware if no file is given (from v0.14.0).
        subsystem_filters: Whether a device filter may name a PCI subsystem (from v0.15.0); before, it matches nothing.
        pauses_client: Whether `nvidia.com/gpu.deploy.client` is paused like other deploy labels (from v0.15.0).
        answers_when_stuck: Whether a run that gives up waiting for pods ends in `failed`, not `pending` (after
            v0.15.0).
    """

    script: bool
    generates: bool
    subsystem_filters: bool
    pauses_client: bool
    answers_when_stuck: bool

    @classmethod
    def of(cls, version: str) -> Behaviour:
        """Return the behaviour of an image tag; a tag that is not a version counts as the default release's version."""
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
