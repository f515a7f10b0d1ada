"""The backend for an existing cluster, which it neither creates nor removes."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

from conformance.backends.backend import Attachment, BackendError, Permissions
from conformance.backends.in_cluster import runs_in_cluster, write_kubeconfig
from conformance.backends.names import LIVE
from conformance.cluster.connecting import connect
from conformance.cluster.errors import ClusterError
from conformance.cluster.limits import Limits
from conformance.flags import flag, path

_DEFAULT = Path("~/.kube/config")
KUBECONFIG: Final = flag(
    "--kubeconfig", metavar="FILE", read=path, help="kubeconfig", default="the one kubectl would use"
)
"""The option of commands that work on a live cluster alone."""
CONTEXT: Final = flag("--context", help="context of the kubeconfig", default="its current one")
"""Likewise."""


class LiveBackend:
    """The cluster behind a kubeconfig.

    Without one it is what kubectl would use: `$KUBECONFIG`, then `~/.kube/config`; inside a pod its service account.
    """

    name = LIVE
    simulated_gpus = False

    def __init__(
        self, kubeconfig: Path | None, context: str | None, permissions: Permissions, limits: Limits | None = None
    ) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._permissions = permissions
        self._limits = limits or Limits()
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> Attachment:
        """Make sure that the API server answers, within `limits.connect` real seconds.

        Raises:
            BackendError: No kubeconfig, no such context, no answer, or wrong credentials.
        """
        kubeconfig = self._found()
        try:
            with closing(connect(kubeconfig, self._context, self._limits)):
                return Attachment(kubeconfig, self._context, None, self._permissions)
        except ClusterError as error:
            raise BackendError(str(error)) from error

    def stop(self) -> None:
        """Remove the kubeconfig made of a service account; the cluster stays as it is."""
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def _found(self) -> Path:
        if self._kubeconfig is not None:
            return self._kubeconfig
        if named := os.environ.get("KUBECONFIG"):
            return Path(named)
        if not _DEFAULT.expanduser().is_file() and runs_in_cluster():
            self._directory = tempfile.TemporaryDirectory(prefix="mig-conformance-")
            return write_kubeconfig(Path(self._directory.name))
        return _DEFAULT.expanduser()
