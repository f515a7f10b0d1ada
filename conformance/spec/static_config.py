"""The mig-parted configuration that the operator ships in its own ConfigMap; the file is static-config.yaml."""

from __future__ import annotations

from conformance.spec.mig_parted import Configurations, parse
from conformance.spec.package_data import read_text


def static_text() -> str:
    """Return the file as the ConfigMap holds it: 81 configurations as of mig-parted v0.15.0."""
    return read_text("static-config.yaml")


def static_configurations() -> Configurations:
    """Return the same, parsed."""
    return parse(static_text())
