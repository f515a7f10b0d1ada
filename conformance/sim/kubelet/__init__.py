"""The kubelets of the simulated nodes: Node objects, pods and their containers, devices, logs and exec.

A kubelet here differs from a real one in what no observer of MIG looks at: images are always there, probes and
lifecycle hooks are not run, secrets are not mounted, restartable init containers are ordinary ones, nodes are never
under pressure, and only warnings become events. What it promises is written down as tests (`tests/sim/kubelet`).

Import from the modules; this package is also imported by `conformance.sim.node`, which they need.
"""
