"""A throw-away cluster through pytest-kubernetes: kind, k3d or minikube.

pytest-kubernetes 0.9 deletes the kubeconfig it works with and may leave KUBECONFIG changed in this process
(docs/reference/platform.md#pytest-kubernetes), so it gets a file and an environment of its own, never the user's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pytest_kubernetes.options import ClusterOptions
from pytest_kubernetes.providers import select_provider_manager

from conformance.backends.backend import READ_ONLY, Attachment, BackendError

KUBERNETES: Final = "1.33.1"
"""Version that all three have images of."""
_CREATE_SECONDS = 300


class LocalBackend:
    """A cluster made by one of `names.PROVIDERS`, removed at the end; it has no GPUs of its own."""

    simulated_gpus = False

    def __init__(self, provider: str, run: str) -> None:
        """Nothing is made before `start`.

        Args:
            provider: One of `names.PROVIDERS`.
            run: Id of this run; two runs on one machine get clusters of their own.
        """
        self.name = provider
        self._run = run
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._manager: Any = None

    def start(self) -> Attachment:
        """Make the cluster; takes a minute or two.

        Raises:
            BackendError: A program is missing, or it could not make the cluster; says which and why.
        """
        for program in (self.name, "kubectl"):
            if shutil.which(program) is None:
                raise BackendError(f"--cluster {self.name} needs the program {program} on the PATH")
        self._directory = tempfile.TemporaryDirectory(prefix="mig-conformance-")
        kubeconfig = Path(self._directory.name) / "kubeconfig"
        kubeconfig.touch(mode=0o600)
        options = ClusterOptions(api_version=KUBERNETES, kubeconfig_path=kubeconfig, cluster_timeout=_CREATE_SECONDS)
        with _own_environment(kubeconfig):
            try:
                self._manager = select_provider_manager(self.name)(f"mig-{self._run}")
                self._manager.create(options, timeout=_CREATE_SECONDS)
            except (subprocess.SubprocessError, RuntimeError, OSError) as error:
                raise BackendError(f"{self.name} could not make a cluster: {_said(error)}") from error
        return Attachment(kubeconfig, None, None, READ_ONLY)

    def stop(self) -> None:
        """Remove the cluster and its kubeconfig."""
        if self._directory is None:
            return
        with _own_environment(Path(self._directory.name) / "kubeconfig"):
            try:
                if self._manager is not None:
                    self._manager.delete()
            except (subprocess.SubprocessError, RuntimeError, OSError) as error:
                name = self._manager.cluster_name
                raise BackendError(f"{self.name} could not remove cluster {name}: {_said(error)}") from error
            finally:
                self._manager = None
                self._directory.cleanup()
                self._directory = None


@contextmanager
def _own_environment(kubeconfig: Path) -> Iterator[None]:
    before = dict(os.environ)
    os.environ["KUBECONFIG"] = str(kubeconfig)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _said(error: Exception) -> str:
    output = getattr(error, "stderr", None) or b""
    return output.decode("utf-8", errors="replace").strip() or str(error)
