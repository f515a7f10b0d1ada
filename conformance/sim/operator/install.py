"""The installation: what the Helm charts of the operator and of Node Feature Discovery create.

Source: NVIDIA/gpu-operator v26.7.0, deployments/gpu-operator.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from conformance.sim.kube import (
    CLUSTER_POLICIES,
    CONFIG_MAPS,
    CRDS,
    DAEMON_SETS,
    NAMESPACES,
    NODE_FEATURE_RULES,
    NODE_FEATURES,
    RUNTIME_CLASSES,
    SERVICE_ACCOUNTS,
    Kube,
    KubeError,
    Object,
    Resource,
)
from conformance.sim.kube.insist import insist, insist_unless_gone
from conformance.sim.operator.manifests import STATES, cdi_by_default, load
from conformance.sim.operator.workloads import service_accounts, workloads
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import CONFIG_KEY, OPERATOR_NAMESPACE, RUNTIME_CLASS
from conformance.spec.releases import DEFAULT_RELEASE, Release, find_release

CUSTOM_CONFIG_MAP: Final = "custom-mig-config"
"""Name of the ConfigMap for a custom mig-parted configuration."""
PLUGIN_CONFIG_MAP: Final = "plugin-config"
"""Name of the ConfigMap for a configuration file of the device plugin."""
PLUGIN_CONFIG: Final = "default"
"""Name of the file in it, which nodes without a label `nvidia.com/device-plugin.config` get."""
_DEFINITIONS: Final = ("crd-cluster-policy.yaml", "crd-node-feature.yaml", "crd-node-feature-rule.yaml")
_SERVED_SECONDS: Final = 10.0
"""Real seconds to wait for a server to serve a new kind."""
_LOOK_AGAIN: Final = 0.05


@dataclass(frozen=True)
class Installation:
    """Choices of the person who installs the operator.

    Attributes:
        release: Operator release.
        namespace: Namespace of the operator.
        strategy: ClusterPolicy `spec.mig.strategy`; empty to omit it.
        default_configuration: `migManager.config.default`: `all-disabled`, or empty for none.
        custom_configuration: Text of a mig-parted file for a ConfigMap; None to let mig-manager generate one.
        with_reboot: Whether mig-manager may reboot the node (env WITH_REBOOT).
        mig_manager: `migManager.enabled`.
        plugin_configuration: Text of a file for `devicePlugin.config`; None for none.
        cdi: ClusterPolicy `spec.cdi.enabled`; None for the default of the release's chart.
        home: Names of the nodes for the operator's pod and that of the NFD master; empty for any.
    """

    release: Release = field(default_factory=lambda: find_release(DEFAULT_RELEASE))
    namespace: str = OPERATOR_NAMESPACE
    strategy: str = "single"
    default_configuration: str = ALL_DISABLED
    custom_configuration: str | None = None
    with_reboot: bool = False
    mig_manager: bool = True
    plugin_configuration: str | None = None
    cdi: bool | None = None
    home: tuple[str, ...] = ()


async def install(kube: Kube, wanted: Installation) -> None:
    """Create the objects; existing ones stay unchanged.

    Raises:
        KubeError: The server rejects an object, or does not serve the new kinds in time.
    """
    kube = kube.named("helm")
    for definition in _DEFINITIONS:
        await _ensure(kube, CRDS, load(definition))
    await _ensure(kube, NAMESPACES, _named(wanted.namespace))
    await _ensure(kube, RUNTIME_CLASSES, _named(RUNTIME_CLASS) | {"handler": RUNTIME_CLASS})
    for account in sorted(_service_accounts() | service_accounts()):
        await _ensure(kube, SERVICE_ACCOUNTS, _named(account, wanted.namespace))
    for name, key, text in (
        (CUSTOM_CONFIG_MAP, CONFIG_KEY, wanted.custom_configuration),
        (PLUGIN_CONFIG_MAP, PLUGIN_CONFIG, wanted.plugin_configuration),
    ):
        if text is not None:
            await _ensure(kube, CONFIG_MAPS, _named(name, wanted.namespace) | {"data": {key: text}})
    async with asyncio.timeout(_SERVED_SECONDS):
        await _until_served(kube, NODE_FEATURES)
        await _until_served(kube, NODE_FEATURE_RULES)
        await _until_served(kube, CLUSTER_POLICIES)
    await _ensure(kube, CLUSTER_POLICIES, cluster_policy(wanted))
    for resource, workload in workloads(wanted.namespace, wanted.release, wanted.home):
        await _ensure(kube, resource, workload)


async def uninstall(kube: Kube, wanted: Installation) -> None:
    """Delete the operator, its operands, its CustomResourceDefinitions and its namespace.

    Raises:
        KubeError: The server rejects a deletion.
    """
    kube, namespace = kube.named("helm"), wanted.namespace
    for policy in (await kube.list(CLUSTER_POLICIES)).items:
        await insist_unless_gone(partial(kube.delete, CLUSTER_POLICIES, policy["metadata"]["name"]))
    for resource, workload in workloads(namespace, wanted.release, wanted.home):
        await insist_unless_gone(partial(kube.delete, resource, workload["metadata"]["name"], namespace))
    for name, _ in STATES.values():
        await insist_unless_gone(partial(kube.delete, DAEMON_SETS, name, namespace))
    for definition in _DEFINITIONS:
        await insist_unless_gone(partial(kube.delete, CRDS, load(definition)["metadata"]["name"]))
    await insist_unless_gone(partial(kube.delete, RUNTIME_CLASSES, RUNTIME_CLASS))
    await insist_unless_gone(partial(kube.delete, NAMESPACES, namespace))


def cluster_policy(wanted: Installation) -> Object:
    """Return the ClusterPolicy that the chart renders for these choices."""
    policy: Object = _filled(load("cluster-policy.yaml"), wanted.release)
    policy["metadata"]["labels"] |= {
        "app.kubernetes.io/name": "gpu-operator",
        "app.kubernetes.io/instance": "gpu-operator",
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/version": wanted.release.name,
        "helm.sh/chart": f"gpu-operator-{wanted.release.name}",
    }
    spec = policy["spec"]
    spec["mig"] = {"strategy": wanted.strategy} if wanted.strategy else {}
    spec["cdi"]["enabled"] = cdi_by_default(spec) if wanted.cdi is None else wanted.cdi
    manager = spec["migManager"]
    manager["config"]["default"] = wanted.default_configuration
    if wanted.custom_configuration is not None:
        manager["config"]["name"] = CUSTOM_CONFIG_MAP
    manager["enabled"] = wanted.mig_manager
    if wanted.plugin_configuration is not None:
        spec["devicePlugin"]["config"] = {"name": PLUGIN_CONFIG_MAP, "default": PLUGIN_CONFIG}
    if wanted.with_reboot:
        manager["env"] = [{"name": "WITH_REBOOT", "value": "true"}]
    return policy


async def _ensure(kube: Kube, resource: Resource, wanted: Object) -> None:
    try:
        await kube.create(resource, wanted)
    except KubeError as error:
        if not error.already_exists:
            raise


async def _until_served(kube: Kube, resource: Resource) -> None:
    """Retry until the server serves a new kind, a moment after it has accepted the definition."""
    while True:
        try:
            await insist(partial(kube.list, resource))
        except KubeError as error:
            if not error.not_found:
                raise
            await asyncio.sleep(_LOOK_AGAIN)
        else:
            return


def _filled(value: Any, release: Release) -> Any:
    """Return a copy with every `$name` replaced by that field of the release."""
    if isinstance(value, dict):
        return {key: _filled(item, release) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, release) for item in value]
    if isinstance(value, str) and value.startswith("$"):
        return getattr(release, value.removeprefix("$"))
    return value


def _named(name: str, namespace: str | None = None) -> Object:
    return {"metadata": {"name": name} | ({"namespace": namespace} if namespace else {})}


def _service_accounts() -> set[str]:
    manifests = (load(f"daemonsets/{name}.yaml") for name, _ in STATES.values())
    return {manifest["spec"]["template"]["spec"]["serviceAccountName"] for manifest in manifests}
