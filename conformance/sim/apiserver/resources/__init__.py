"""The resources that the server serves: names, schemas, defaults and validation."""
