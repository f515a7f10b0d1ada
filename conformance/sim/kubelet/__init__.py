"""The kubelets of the simulated nodes: Node objects, pods and their containers, devices, logs and exec.

Import from the modules; this package is also imported by `conformance.sim.node`, which they need.
"""
