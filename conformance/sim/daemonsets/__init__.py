"""The DaemonSet controller: one pod of every DaemonSet on every node that it selects.

Source: Kubernetes v1.36, pkg/controller/daemon. It only runs if the cluster has no controller manager.
"""

from conformance.sim.daemonsets.controller import DaemonSets

__all__ = ["DaemonSets"]
