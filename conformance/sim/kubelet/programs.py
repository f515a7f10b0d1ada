"""The table of programs, by image and by command.

The kubelet does not know the components of the cluster: the simulation adds the programs of its images. The commands
of every image (`nvidia-smi`, `sleep`, `sh`, `python3`, ...) are in `conformance.sim.kubelet.commands`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from conformance.sim.container import Container, Program
from conformance.sim.kubelet.commands import COMMANDS, pause
from conformance.sim.kubelet.shell import shell


class Programs:
    """The programs of images and commands.

    Args:
        images: Entry points by image name without registry, path, tag and digest (`k8s-mig-manager`). The entry point
            also runs in place of a mounted script. Other images run until SIGTERM.
        commands: Programs by base name of the executable (`nvidia-device-plugin`), in addition to those of every image.
    """

    def __init__(self, images: Mapping[str, Program], commands: Mapping[str, Program]) -> None:
        self._images = dict(images)
        self._commands = {**COMMANDS, **commands, "sh": self._shell, "bash": self._shell}

    def find(self, container: Container) -> Program | None:
        """Return the program of a container's command; None if its image has no such executable.

        Options without a command are for the entry point of the image.
        """
        if not container.command or container.command[0].startswith("-"):
            return self._images.get(image_name(container.image), pause)
        if container.files(container.command[0]) is not None:
            return self._images.get(image_name(container.image), pause)
        name = PurePosixPath(container.command[0]).name
        if name == "nvidia-smi" and not _has_driver(container):
            return None
        return self._commands.get(name)

    async def _shell(self, container: Container) -> int:
        """Run a shell with the commands of this table."""
        return await shell(container, self._run)

    async def _run(self, container: Container, command: Sequence[str]) -> int | None:
        inner = replace(container, command=command)
        program = self.find(inner)
        return None if program is None else await program(inner)


def image_name(image: str) -> str:
    """Return the last part of an image reference, without tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _has_driver(container: Container) -> bool:
    """Return whether runtime or image provide the driver's tools: if any GPU is visible."""
    return container.visible is None or bool(container.visible)
