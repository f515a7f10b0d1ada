"""Groups of requirements that one obstacle rules out together."""

from __future__ import annotations

from typing import Final

from conformance.spec.requirements import REQUIREMENTS

ALL: Final = tuple(REQUIREMENTS)
CHANGES: Final = (
    *("D-01", "D-02", "D-03", "D-04", "D-05", "D-09", "D-12", "D-13", "D-14", "D-15", "D-16", "D-17"),
    *("D-22", "D-23", "D-24", "D-25"),
)
"""They need a mig-manager that applies what the label says."""
DEVICES: Final = ("D-06", "D-07", "D-09", "D-18", "D-19", "D-20", "D-21", "D-26", "D-27")
"""They are about the devices of a node: how they are advertised and labelled, and who gets them."""
SHARED: Final = ("D-06", "D-07", "D-19", "D-20", "D-21", "D-26")
"""They are about names, counts and labels of devices that one container has for itself."""
PODS: Final = ("D-20", "D-21", "D-27")
"""They need a pod of the suite that asks for a device."""
WIDE: Final = ("D-08", "D-16")
"""They need a change of the ClusterPolicy."""
