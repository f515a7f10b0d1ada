"""Access to the YAML and text files that are part of this package."""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

import yaml

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader based on libyaml, if PyYAML has it: ten times as fast, with the same result."""


def read_text(name: str, package: str = "conformance.spec") -> str:
    """Return the text of a data file.

    Args:
        name: Path of the file in its package.
        package: The package that has it.

    Raises:
        FileNotFoundError: The package was installed without its data.
    """
    return (resources.files(package) / name).read_text(encoding="utf-8")


def read_yaml(name: str, package: str = "conformance.spec") -> Any:
    """Return the parsed content of a YAML file; arguments and errors are those of `read_text`."""
    return yaml.load(read_text(name, package), _LOADER)  # noqa: S506 - both loaders are safe
