"""The models of the official client, read from their sources.

Importing a model has pydantic build its class and those of all that it holds, which for a pod takes longer than all
else at the start of a server. The tables that say what fields it has are literals in its source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from kubernetes import client

_FOLDER: Final = Path(client.__file__).parent / "models"
_EXPORT: Final = re.compile(r'^ +"(\w+)": "\.(\w+)",$', re.MULTILINE)
_TABLE: Final = re.compile(r"^    (openapi_types|attribute_map): ClassVar\[.*?\] = (\{[^}]*\})$", re.MULTILINE)
_REQUIRED: Final = re.compile(r"^    (\w+): (?!ClassVar|.* = None$|.* = Field\(default=)", re.MULTILINE)


@dataclass(frozen=True)
class Model:
    """The fields of one type of object, by their names in JSON.

    Attributes:
        types: Type of each field, such as `str` or `List[V1Container]`.
        required: Fields that an object must have.
    """

    types: Mapping[str, str]
    required: frozenset[str]


@cache
def read_model(name: str) -> Model:
    """Return the client's model of this name, such as `V1Pod`; raises KeyError where it has none."""
    source = (_FOLDER / f"{_modules()[name]}.py").read_text(encoding="utf-8")
    tables: Mapping[str, Mapping[str, str]] = {table: json.loads(text) for table, text in _TABLE.findall(source)}
    names = tables["attribute_map"]
    types = {names[key]: text for key, text in tables["openapi_types"].items()}
    return Model(types, frozenset(names[key] for key in _REQUIRED.findall(source) if key in names))


@cache
def _modules() -> Mapping[str, str]:
    """Return the module of each model by the model's name."""
    return dict(_EXPORT.findall((_FOLDER / "__init__.py").read_text(encoding="utf-8")))
