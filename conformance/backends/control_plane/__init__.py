"""A real Kubernetes control plane from its own programs, thrown away at the end."""

from conformance.backends.control_plane.binaries import Binaries, find_binaries
from conformance.backends.control_plane.plane import ControlPlane

__all__ = ["Binaries", "ControlPlane", "find_binaries"]
