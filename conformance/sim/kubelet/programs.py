"""The table of programs: what a container runs, by its image or by its command.

The kubelet knows no component of the cluster. Whoever builds the cluster adds what its images run; the commands of
every image (`nvidia-smi`, `sleep`, `sh`, `python3`, ...) are in `conformance.sim.kubelet.commands`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from conformance.sim.container import Program


class Programs:
    """What images and commands run.

    Args:
        images: Program by image name without registry, path, tag and digest (`k8s-device-plugin`): what runs where a
            container names no command of its own, or one that is not in `commands`.
        commands: Program by base name of the executable (`nvidia-smi`), for every image.
    """

    def __init__(self, images: Mapping[str, Program], commands: Mapping[str, Program]) -> None:
        self._images = dict(images)
        self._commands = dict(commands)

    def find(self, image: str, command: Sequence[str]) -> Program | None:
        """Return the program of a container; None where the image has no such executable."""
        return self.command(command) or self._images.get(image_name(image))

    def command(self, command: Sequence[str]) -> Program | None:
        """Return the program of a command line alone, as in `kubectl exec`; None where there is none."""
        return self._commands.get(PurePosixPath(command[0]).name) if command else None


def image_name(image: str) -> str:
    """Return the last part of an image reference, without tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]
