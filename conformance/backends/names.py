"""Names of the backends: the values of `--cluster`."""

from __future__ import annotations

from typing import Final

SIMULATED: Final = "simulated"
CONTROL_PLANE: Final = "control-plane"
PROVIDERS: Final = ("kind", "k3d", "minikube")
"""Programs that make a local cluster."""
LIVE: Final = "live"

DEFAULT_BACKEND: Final = SIMULATED
BACKENDS: Final = (SIMULATED, CONTROL_PLANE, *PROVIDERS, LIVE)
"""All of them."""
