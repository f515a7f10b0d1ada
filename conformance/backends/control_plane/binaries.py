"""Finds the programs of a control plane.

Source of the names looked up: envtest of sigs.k8s.io/controller-runtime (bin_path_finder.go), whose `setup-envtest use`
fetches etcd and kube-apiserver; kube-scheduler and kube-controller-manager are looked up in the same way.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conformance.backends.backend import BackendError

DEFAULT_FOLDER: Final = Path("/usr/local/kubebuilder/bin")
"""Where kubebuilder puts them."""
HOW_TO_GET: Final = (
    "Build all of them with: export KUBEBUILDER_ASSETS=$(tools/control-plane/build.sh), "
    "or fetch etcd and kube-apiserver with: export KUBEBUILDER_ASSETS=$(setup-envtest use -p path)"
)


@dataclass(frozen=True)
class Binaries:
    """The programs.

    Attributes:
        etcd: From 3.5.8 on; with an older one the API server refuses watches with bookmarks.
        apiserver: kube-apiserver.
        scheduler: kube-scheduler; None where there is none.
        controller_manager: kube-controller-manager; None where there is none.
    """

    etcd: Path
    apiserver: Path
    scheduler: Path | None
    controller_manager: Path | None


def find_binaries(environment: Mapping[str, str] | None = None) -> Binaries:
    """Look each program up: `TEST_ASSET_<NAME>`, folder `KUBEBUILDER_ASSETS`, `PATH`, `DEFAULT_FOLDER`.

    Args:
        environment: The variables; None means those of this process.

    Raises:
        BackendError: There is no etcd or no kube-apiserver, or a variable does not name an executable file; the
            message says how to get the programs.
    """
    variables = os.environ if environment is None else environment
    return Binaries(
        etcd=_required("etcd", variables),
        apiserver=_required("kube-apiserver", variables),
        scheduler=_found("kube-scheduler", variables),
        controller_manager=_found("kube-controller-manager", variables),
    )


def _required(name: str, variables: Mapping[str, str]) -> Path:
    found = _found(name, variables)
    if found is None:
        raise BackendError(f"--cluster control-plane needs the program {name}, which was not found. {HOW_TO_GET}")
    return found


def _found(name: str, variables: Mapping[str, str]) -> Path | None:
    variable = f"TEST_ASSET_{name.upper().replace('-', '_')}"
    if named := variables.get(variable):
        if shutil.which(named) is None:
            raise BackendError(f"{variable} names {named}, which is not an executable file. {HOW_TO_GET}")
        return Path(named)
    folders = [variables.get("KUBEBUILDER_ASSETS", ""), variables.get("PATH", ""), str(DEFAULT_FOLDER)]
    found = shutil.which(name, path=os.pathsep.join(filter(None, folders)))
    return Path(found) if found else None
