"""The mig-parted configuration that the operator ships as ConfigMap default-mig-parted-config; see static-config.yaml."""

from __future__ import annotations

from conformance.spec.mig_parted import Configurations, parse
from conformance.spec.package_data import read_text


def static_text() -> str:
    """The file as the ConfigMap holds it: 81 configurations as of mig-parted v0.15.0."""
    return read_text("static-config.yaml")


def static_configurations() -> Configurations:
    """The same, parsed."""
    return parse(static_text())
