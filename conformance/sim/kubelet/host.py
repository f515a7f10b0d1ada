"""What privileged pods do to the machine itself through its root directory: `chroot /host reboot`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from conformance.sim.container import Container
from conformance.sim.node import SimNode

NO_SUCH_COMMAND: Final = 127
NOT_PERMITTED: Final = 125
"""Exit codes of chroot(1): the command does not exist; chroot itself failed."""

_COMMANDS: Final[Mapping[tuple[str, ...], Callable[[SimNode], None]]] = {
    ("reboot",): SimNode.request_reboot,
    ("systemctl", "reboot"): SimNode.request_reboot,
    ("systemctl", "restart", "kubelet"): SimNode.request_kubelet_restart,
}
"""Commands of the host that do something to it. Both return before it happens."""


async def chroot(container: Container) -> int:
    """Run a command of the host whose root directory is mounted; the container must be privileged."""
    root, *command = container.command[1:] or [""]
    if not _is_host_root(container, root):
        container.log(f"chroot: cannot change root directory to '{root}': Operation not permitted")
        return NOT_PERMITTED
    action = _COMMANDS.get(tuple(command))
    if action is None:
        container.log(f"chroot: failed to run command '{' '.join(command)}': No such file or directory")
        return NO_SUCH_COMMAND
    action(container.node)
    return 0


def _is_host_root(container: Container, path: str) -> bool:
    spec = container.pod["spec"]
    own = next(part for part in (*(spec.get("initContainers") or ()), *spec["containers"]) if _is(part, container.name))
    volumes = {volume["name"]: volume for volume in spec.get("volumes") or ()}
    mounted = {mount["mountPath"]: _host_path(volumes[mount["name"]]) for mount in own.get("volumeMounts") or ()}
    return mounted.get(path) == "/" and bool((own.get("securityContext") or {}).get("privileged"))


def _is(part: Mapping[str, Any], name: str) -> bool:
    return bool(part["name"] == name)


def _host_path(volume: Mapping[str, Any]) -> str:
    return str((volume.get("hostPath") or {}).get("path", ""))
