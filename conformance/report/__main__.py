"""`python -m conformance.report`: regenerate the schema of `report.json` after a change of the models."""

from conformance.report.schema import SCHEMA_FILE, schema_text

SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
print(f"wrote {SCHEMA_FILE}")
