"""Access to the YAML files in this package."""

from __future__ import annotations

from importlib import resources
from typing import Any

import yaml


def read_text(name: str) -> str:
    """Return the text of a data file of this package.

    Raises:
        FileNotFoundError: The package was installed without its data.
    """
    return (resources.files("conformance.spec") / name).read_text(encoding="utf-8")


def read_yaml(name: str) -> Any:
    """Return the parsed content of a YAML file of this package.

    Raises:
        FileNotFoundError: The package was installed without its data.
    """
    return yaml.safe_load(read_text(name))
