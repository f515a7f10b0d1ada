"""Discovery: which groups, versions and resources there are, in the old form and in the aggregated one."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.sim.apiserver.objects import Object
from conformance.sim.apiserver.resources.builtin import ALL_VERBS
from conformance.sim.apiserver.resources.catalog import Catalog, Served

KUBERNETES_VERSION = "v1.36.3+simulated"
"""What the server says it is: the release whose behaviour it was compared with."""
AGGREGATED = "APIGroupDiscoveryList"
_SUBRESOURCE_VERBS = {
    "binding": ("create",), "eviction": ("create",), "token": ("create",), "log": ("get",),
    "attach": ("create", "get"), "exec": ("create", "get"), "portforward": ("create", "get"),
    "proxy": ("create", "delete", "get", "patch", "update"), "finalize": ("update",),
}  # fmt: skip
_SUBRESOURCE_KINDS = {
    "binding": ("", "v1", "Binding"),
    "eviction": ("policy", "v1", "Eviction"),
    "scale": ("autoscaling", "v1", "Scale"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
    "attach": ("", "v1", "PodAttachOptions"),
    "exec": ("", "v1", "PodExecOptions"),
    "portforward": ("", "v1", "PodPortForwardOptions"),
}


def version_info() -> Object:
    """Return the answer to `/version`."""
    major, minor = KUBERNETES_VERSION.lstrip("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "gitVersion": KUBERNETES_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "none",
        "platform": "simulated",
    }


def core_versions(address: str) -> Object:
    """Return the answer to `/api`; `address` is where clients reach the server."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_list(catalog: Catalog) -> Object:
    """Return the answer to `/apis`."""
    groups = [_group(name, versions) for name, versions in _versions(catalog) if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(catalog: Catalog, name: str) -> Object | None:
    """Return the answer to `/apis/GROUP`, None where there is no such group."""
    found = dict(_versions(catalog)).get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, found)} if found else None


def _group(name: str, versions: Iterable[str]) -> Object:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _versions(catalog: Catalog) -> list[tuple[str, list[str]]]:
    """Return the versions of every group, the preferred one first."""
    found: dict[str, dict[str, None]] = {}
    for served in catalog:
        found.setdefault(served.resource.group, {})[served.resource.version] = None
    return [(name, sorted(versions, key=_maturity)) for name, versions in sorted(found.items())]


def _maturity(version: str) -> tuple[int, str]:
    """Order stable versions before beta ones, and those before alpha ones."""
    return 1 if "beta" in version else 2 if "alpha" in version else 0, version


def resource_list(catalog: Catalog, group_name: str, version: str) -> Object | None:
    """Return the answer to `/api/v1` and `/apis/GROUP/VERSION`, None where there is no such version."""
    found = _of_version(catalog, group_name, version)
    if not found:
        return None
    entries = [entry for served in found for entry in _entries(served)]
    api_version = found[0].resource.api_version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": entries}


def _of_version(catalog: Catalog, group_name: str, version: str) -> list[Served]:
    return [s for s in catalog if (s.resource.group, s.resource.version) == (group_name, version)]


def _verbs(served: Served) -> tuple[str, ...]:
    return ALL_VERBS if served.resource.stored else ("create",)


def _entries(served: Served) -> Iterable[Object]:
    resource = served.resource
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _verbs(served),
    }
    if resource.short_names:
        entry["shortNames"] = resource.short_names
    if resource.categories:
        entry["categories"] = resource.categories
    yield entry
    for name in sorted(resource.subresources):
        group_name, version, kind = _SUBRESOURCE_KINDS.get(name, ("", "", resource.kind))
        below: Object = {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": kind,
            "verbs": _SUBRESOURCE_VERBS.get(name, ("get", "patch", "update")),
        }
        yield {**below, "group": group_name, "version": version} if version else below


def aggregated(catalog: Catalog, *, core: bool) -> Object:
    """Return the aggregated discovery document (v2) of the core group or of all others."""
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None},
            "versions": [
                {
                    "version": version,
                    "resources": [_aggregated_resource(served) for served in _of_version(catalog, name, version)],
                    "freshness": "Current",
                }
                for version in versions
            ],
        }
        for name, versions in _versions(catalog)
        if (name == "") is core
    ]
    return {"kind": AGGREGATED, "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_resource(served: Served) -> Object:
    resource = served.resource
    main, *below = _entries(served)
    result: Object = {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": main["verbs"],
        "shortNames": resource.short_names,
        "categories": resource.categories,
    }
    if below:
        result["subresources"] = [
            {
                "subresource": entry["name"].partition("/")[2],
                "responseKind": _kind(
                    entry.get("group", resource.group), entry.get("version", resource.version), entry["kind"]
                ),
                "verbs": entry["verbs"],
            }
            for entry in below
        ]
    return result


def _kind(group_name: str, version: str, kind: str) -> Object:
    return {"group": group_name, "version": version, "kind": kind}
