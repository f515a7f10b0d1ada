"""The JSON schema of `report.json`, generated from the models and shipped beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from conformance.report.model import Report

SCHEMA_FILE: Final = Path(__file__).with_name("schema.json")


def schema_text() -> str:
    """The schema as the models have it now; `schema.json` holds exactly this."""
    schema = Report.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2) + "\n"
