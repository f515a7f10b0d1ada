"""The backend: etcd, kube-apiserver and what there is beside them, on the loopback interface."""

from __future__ import annotations

from pathlib import Path

from conformance.backends.backend import READ_ONLY, Attachment, BackendError
from conformance.backends.control_plane import commands
from conformance.backends.control_plane.binaries import Binaries
from conformance.backends.control_plane.files import Files, write_files
from conformance.backends.control_plane.ports import Ports
from conformance.backends.control_plane.programs import Programs
from conformance.backends.control_plane.readiness import Readiness
from conformance.backends.names import CONTROL_PLANE


class ControlPlane:
    """A control plane that nobody else uses, without nodes; `stop` or the end of this process leaves nothing of it."""

    name = CONTROL_PLANE
    simulated_gpus = False

    def __init__(self, binaries: Binaries, audit_log: Path | None = None) -> None:
        """Prepare it; `audit_log` is a file that gets a line for every request, None for no such file."""
        self._binaries = binaries
        self._audit_log = audit_log
        self._ports = Ports()
        self._programs: Programs | None = None

    def start(self) -> Attachment:
        """Start it and wait until it serves, a few seconds.

        Raises:
            BackendError: A program ended, or not all were ready in time; says what they said and where
                their logs are. Nothing runs then.
        """
        self._programs = Programs()
        try:
            return Attachment(self._start(self._programs), None, None, READ_ONLY)
        except BaseException:
            self._close(self._programs)
            raise

    def stop(self) -> None:
        """Kill it and remove what it wrote; does nothing the second time.

        Raises:
            BackendError: A program had ended by itself; says what it said and where all logs are.
        """
        if self._programs is None:
            return
        broken = self._programs.broken()
        self._close(self._programs)
        if broken:
            raise BackendError(broken)

    def _start(self, programs: Programs) -> Path:
        port, etcd_port, peer_port = (self._ports.reserve() for _ in range(3))
        files = write_files(programs.directory, port)
        ready = Readiness(programs, files, port)
        programs.start("etcd", commands.etcd(self._binaries.etcd, etcd_port, peer_port))
        programs.start("kube-apiserver", self._apiserver(files, (port, etcd_port)))
        ready.wait_for("/readyz")
        ready.wait_for("/api/v1/namespaces/default")
        if self._binaries.scheduler:
            programs.start("kube-scheduler", commands.scheduler(self._binaries.scheduler, files))
        if self._binaries.controller_manager:
            command = commands.controller_manager(self._binaries.controller_manager, files)
            programs.start("kube-controller-manager", command)
            ready.wait_for("/api/v1/namespaces/default/serviceaccounts/default")
        return files.kubeconfig

    def _apiserver(self, files: Files, ports: tuple[int, int]) -> list[str]:
        with_controllers = self._binaries.controller_manager is not None
        audit = commands.audit(files, self._audit_log) if self._audit_log else []
        return [*commands.apiserver(self._binaries.apiserver, files, ports, with_controllers=with_controllers), *audit]

    def _close(self, programs: Programs) -> None:
        self._programs = None
        programs.close()
        self._ports.close()
