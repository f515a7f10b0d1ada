"""Who else writes an object, by its managed fields, labels and annotations.

Sources: Argo CD 3, user guide, "Resource Tracking"; Flux 2, kustomize-controller and helm-controller; Rancher
Fleet; Config Sync; Node Feature Discovery 0.18, which writes labels of a NodeFeatureRule as `nfd-master`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from conformance.cluster.views import Raw
from conformance.operations.fields import Field, writers

_MARKS: Final[Mapping[str, str]] = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "objectset.rio.cattle.io/id": "Rancher Fleet",
    "configsync.gke.io/resource-id": "Config Sync",
}
"""Label or annotation of an object to the tool that sets it."""
_MANAGERS: Final[Mapping[str, str]] = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "fleetagent": "Rancher Fleet",
    "configsync": "Config Sync",
    "nfd-master": "Node Feature Discovery",
}
"""Field manager to the tool."""


def gitops_owner(raw: Raw) -> str:
    """Return the tool that keeps an object as a repository says; empty if none is known."""
    meta = raw["metadata"]
    marks = {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}
    managers = [str(one.get("manager", "")) for one in meta.get("managedFields") or ()]
    found = [tool for mark, tool in _MARKS.items() if mark in marks]
    found += [_MANAGERS[name] for name in managers if name in _MANAGERS and name != "nfd-master"]
    return found[0] if found else ""


def field_owner(raw: Raw, field: Field) -> str:
    """Return the tool that owns one field of an object and writes it again; empty if none is known."""
    return next((_MANAGERS[name] for name in writers(raw, field) if name in _MANAGERS), "")
