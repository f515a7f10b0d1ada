"""The kubelets of the simulated nodes: Node objects, pods and their containers, devices, logs and exec.

It differs from a real kubelet only where this does not matter for MIG: images are always present, probes and lifecycle
hooks do not run, secrets are not mounted, restartable init containers run like ordinary ones, nodes are never under
pressure, and only warnings become events. The tests in `tests/sim/kubelet` define what it supports.
"""
