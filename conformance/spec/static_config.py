"""The mig-parted configuration file that the operator ships in a ConfigMap; the text is in static-config.yaml."""

from __future__ import annotations

from conformance.spec.mig_parted import Configurations, parse
from conformance.spec.package_data import read_text


def static_text() -> str:
    """Return the text of the file: 81 configurations as of mig-parted v0.15.0."""
    return read_text("static-config.yaml")


def static_configurations() -> Configurations:
    """Return the configurations in the file."""
    return parse(static_text())
