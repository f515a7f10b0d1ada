"""Names the plug-ins of the suite and nothing else."""

from conformance.pytest_plugin import PLUGINS

pytest_plugins = list(PLUGINS)
