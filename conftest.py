"""Names the plug-ins of the suite and nothing else."""

pytest_plugins = [
    "conformance.report.plugin",
    "conformance.fixtures.markers",
    "conformance.fixtures.options",
    "conformance.fixtures.case",
    "conformance.fixtures.selection",
    "conformance.fixtures.plugin",
]
