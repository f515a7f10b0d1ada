"""How long preflight takes on a large cluster: `python -m tests.preflight.benchmark [NODES]`; nothing is asserted.

To compare with: less than 10 s for 100 nodes (issue 11), the start of Python included.
"""

from __future__ import annotations

import subprocess
import sys
import time

from conformance.sim.cluster import SimulatedCluster
from conformance.sim.options import SimOptions

NODES = 100
RUNS = 3
ALLOWED = ("--allow-disruptive", "--allow-cluster-wide", "--allow-exec", "--allow-reboot")


def main(nodes: int) -> None:
    """Print a line for each look at a healthy cluster: as a viewer would, and with the rights of every option."""
    with SimulatedCluster(SimOptions(gpu_nodes=nodes, other_nodes="tesla-t4")) as cluster:
        command = [sys.executable, "-m", "conformance", "preflight", f"--kubeconfig={cluster.kubeconfig}"]
        for options in (), ALLOWED:
            for _ in range(RUNS):
                begun = time.monotonic()
                ended = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
                said = (ended.stdout + ended.stderr).strip()
                took = time.monotonic() - begun
                print(f"{nodes} nodes {took:5.1f} s  {said}  {' '.join(options)}", flush=True)  # noqa: T201 - a script


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else NODES)
