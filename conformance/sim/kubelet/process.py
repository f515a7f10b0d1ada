"""Programs of this machine in place of an image: the suite itself, in a pod of the cluster that it tests.

The process is a real one. It sees no file of the pod: where arguments name paths below mounted volumes, or the path of
the termination message, it gets paths of a temporary folder. It gets a kubeconfig with a token of the pod's service
account, where the server makes such tokens; the embedded server knows one account only.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml

from conformance.sim.container import Container
from conformance.sim.kube import KubeError

SUITE: Final = "mig-conformance"
"""Name of the image and of the command of this project."""
_TERMINATION_PATH: Final = "/dev/termination-log"
"""`terminationMessagePath` of a container that names none."""
_OWN_FOLDERS: Final = ("emptyDir", "persistentVolumeClaim")
_LONGEST_LINE: Final = 1 << 20


@dataclass(frozen=True)
class Suite:
    """The installed suite as the program of its image, and of its command.

    Attributes:
        kubeconfig: Kubeconfig of the cluster.
        context: Context in it; None for its current one.
    """

    kubeconfig: Path
    context: str | None = None

    async def __call__(self, container: Container) -> int:
        """Run it with the arguments of the container until it ends; SIGTERM and SIGKILL are passed on."""
        words = container.command
        arguments = words[1:] if words and PurePosixPath(words[0]).name == SUITE else words
        with tempfile.TemporaryDirectory(prefix="container-") as name:
            folder = Path(name)
            written = folder / "termination-log"
            moved = _folders(container, folder) | {_termination_path(container): written}
            kubeconfig = folder / "kubeconfig"
            kubeconfig.write_text(yaml.safe_dump(await self._account(container)), encoding="utf-8")
            code = await _run(container, [_moved(word, moved) for word in arguments], folder, kubeconfig)
            with suppress(OSError):
                container.message = written.read_text(encoding="utf-8")
            return code

    async def _account(self, container: Container) -> dict[str, Any]:
        """Return the kubeconfig with the token of the pod's service account in place of all other credentials."""
        content: dict[str, Any] = yaml.safe_load(self.kubeconfig.read_text(encoding="utf-8"))
        if self.context is not None:
            content["current-context"] = self.context
        account = container.pod["spec"].get("serviceAccountName") or "default"
        try:
            token = await container.kube.account_token(container.pod["metadata"]["namespace"], account)
        except KubeError as error:
            if not error.not_found:
                raise
            return content
        return content | {"users": [{"name": user["name"], "user": {"token": token}} for user in content["users"]]}


async def _run(container: Container, arguments: Sequence[str], folder: Path, kubeconfig: Path) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "conformance", *arguments),
        cwd=folder,
        env={**os.environ, **container.env, "KUBECONFIG": str(kubeconfig), "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_LONGEST_LINE,
        start_new_session=True,
    )
    stopping = asyncio.create_task(_stop(container, process))
    try:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        async for line in process.stdout:
            container.log(line.decode(errors="replace").rstrip("\n"))
        return await process.wait()
    finally:
        stopping.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _stop(container: Container, process: asyncio.subprocess.Process) -> None:
    await container.stop.wait()
    with suppress(ProcessLookupError):
        process.terminate()


def _folders(container: Container, folder: Path) -> dict[str, Path]:
    """Make a folder for each volume that belongs to the pod, and return it by the path at which it is mounted."""
    volumes = {volume["name"]: volume for volume in container.pod["spec"].get("volumes") or []}
    made = {}
    for mount in _spec(container).get("volumeMounts") or []:
        volume = volumes.get(mount["name"], {})
        if any(kind in volume for kind in _OWN_FOLDERS):
            made[mount["mountPath"]] = folder / "volumes" / mount["name"] / (mount.get("subPath") or "")
    for path in made.values():
        path.mkdir(parents=True, exist_ok=True)
    return made


def _termination_path(container: Container) -> str:
    return str(_spec(container).get("terminationMessagePath") or _TERMINATION_PATH)


def _spec(container: Container) -> dict[str, Any]:
    containers: Iterator[dict[str, Any]] = (
        one for one in container.pod["spec"]["containers"] if one["name"] == container.name
    )
    return next(containers, {})


def _moved(word: str, moved: dict[str, Path]) -> str:
    """Return an argument with the path after `=`, or the whole of it, where the files of the process are."""
    option, equals, value = word.rpartition("=")
    for inside, outside in moved.items():
        if PurePosixPath(value).is_relative_to(inside):
            return f"{option}{equals}{outside / PurePosixPath(value).relative_to(inside)}"
    return word
