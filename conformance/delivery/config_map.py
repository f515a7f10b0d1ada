"""Verdict and summary in a ConfigMap of the suite's namespace."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.cluster import paths
from conformance.cluster.client import SUITE_NAMESPACE
from conformance.cluster.errors import ApiError, ClusterError
from conformance.cluster.transport import Transport


def write(transport: Transport, name: str, data: Mapping[str, str]) -> None:
    """Write keys of a ConfigMap that exists; other keys stay.

    It is not created: a role can limit a patch to one name, but not a creation.

    Raises:
        ClusterError: It does not exist, or must not be written; the message says how to fix that.
    """
    try:
        transport.patch(paths.config_map(SUITE_NAMESPACE, name), {"data": dict(data)})
    except ApiError as error:
        if error.not_found:
            raise ClusterError(
                f"there is no ConfigMap {name} in namespace {SUITE_NAMESPACE}; create it with: "
                f"kubectl create configmap {name} --namespace {SUITE_NAMESPACE}"
            ) from error
        raise ClusterError(
            f"cannot write ConfigMap {name} in namespace {SUITE_NAMESPACE}: {error}; the account needs the right to "
            "patch it"
        ) from error
