"""The settings of mig-manager: the environment of its container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from conformance.spec.releases import DEFAULT_RELEASE, VersionError, at_least, find_release

HOST_MOUNT: Final = "/host"
"""Where the operator's DaemonSet mounts the root of the host."""


@dataclass(frozen=True)
class Settings:
    """The environment of the container, as cmd/nvidia-mig-manager/main.go reads it.

    Attributes:
        node: NODE_NAME.
        config_file: CONFIG_FILE; empty for none.
        default_config_file: DEFAULT_CONFIG_FILE; empty for none.
        clients_namespace: DEFAULT_GPU_CLIENTS_NAMESPACE, where the operands are.
        clients_file: GPU_CLIENTS_FILE, which lists services of the host; empty for none.
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
        """Take the settings from an environment; what is not there has the program's own default."""
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
    """Read a truth value as Go does; every other text counts as false."""
    return text in {"1", "t", "T", "true", "TRUE", "True"}


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
