"""A simulated cluster that tests break by hand, and that is as before afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from conformance.cluster import paths
from conformance.cluster.client import Cluster
from conformance.cluster.connecting import connect
from conformance.cluster.limits import Limits
from conformance.preflight.finding import PreflightFinding
from conformance.preflight.reading import Wanted, read_snapshot
from conformance.preflight.table import find
from conformance.sim.cluster import SimulatedCluster
from conformance.spec.names import DRIVER_APP, OPERATOR_NAMESPACE

NODE: Final = "sim-0"
LIMIT: Final = 60
"""Real seconds for the cluster to follow what was done to it; it takes about one."""
_FEATURES: Final = (
    f"/apis/nfd.k8s-sigs.io/v1alpha1/namespaces/{OPERATOR_NAMESPACE}/nodefeatures/nvidia-features-for-{NODE}"
)


class Somebody:
    """Somebody who changes a cluster by hand; `undone` takes everything back, the last change first.

    Attributes:
        simulation: The cluster.
        hand: Requests with the rights of the administrator.
        wanted: What preflight is asked.
        reads: Requests of preflight: those of `hand`, or of an account with fewer rights.
    """

    def __init__(self, simulation: SimulatedCluster, folder: Path) -> None:
        self.simulation = simulation
        self.hand = connect(simulation.kubeconfig, None, Limits())
        self.reads = self.hand
        self.wanted = Wanted()
        self._folder = folder
        self._undo = ExitStack()

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Take back what was changed in the block."""
        with ExitStack() as undo:
            self._undo = undo
            yield
        self.reads, self.wanted = self.hand, Wanted()

    def patch(self, path: str, body: Mapping[str, Any], *, manager: str | None = None) -> None:
        """Change an object, as a field manager if one is named."""
        self._undo.callback(self.hand.patch, path, _former(self.hand.get(path), body))
        with self._writing_as(manager or self.hand.manager):
            self.hand.patch(path, body)

    def label(self, labels: Mapping[str, str | None], *, manager: str | None = None) -> None:
        """Change labels of the node; None removes one."""
        self.patch(paths.node(NODE), {"metadata": {"labels": labels}}, manager=manager)

    def policy(self, spec: Mapping[str, Any]) -> None:
        """Change the ClusterPolicy."""
        self.patch(paths.policy("cluster-policy"), {"spec": spec})

    def create(self, collection: str, body: Mapping[str, Any]) -> None:
        """Create an object that was not there."""
        self.hand.create(collection, body)
        self._undo.callback(self.hand.delete, f"{collection}/{body['metadata']['name']}")

    def describe(self, labels: Mapping[str, str | None]) -> None:
        """Switch GPU Feature Discovery off, and have it say something else of the node."""
        self.label({"nvidia.com/gpu.deploy.gpu-feature-discovery": "false"})
        self.wait(lambda cluster: not cluster.operands(NODE, "gpu-feature-discovery"))
        self.patch(_FEATURES, {"spec": {"labels": labels}})
        self.wait(lambda cluster: all(cluster.node(NODE).labels.get(key) == value for key, value in labels.items()))

    def on_the_driver(self, *command: str) -> None:
        """Run a command in the driver pod."""
        with Cluster.connect(self.simulation.kubeconfig) as cluster:
            (pod,) = cluster.operands(NODE, DRIVER_APP)
            done = cluster.execute(pod, command)
        assert done.exit_code == 0, done

    def cut(self) -> None:
        """Divide the GPU behind the back of mig-manager."""
        smi = ("nvidia-smi", "-i", "0")
        for command, undo in ((("-mig", "1"), ("-mig", "0")), (("mig", "-cgi", "19", "-C"), ("mig", "-dgi"))):
            self._undo.callback(self.on_the_driver, *smi, *undo)
            self.on_the_driver(*smi, *command)
        self._undo.callback(self.on_the_driver, *smi, "mig", "-dci")

    def lacking(self, *rights: tuple[str, str]) -> None:
        """Have preflight ask as somebody who lacks these rights, each a verb and a resource of the core group."""
        server = self.simulation.server
        token = self.simulation.run(lambda: server.new_token("guest"))
        for verb, resource in rights:
            self.simulation.run(partial(server.deny, "guest", verb, resource))
        kubeconfig = yaml.safe_load(self.simulation.kubeconfig.read_text())
        kubeconfig["users"][0]["user"] = {"token": token}
        file = self._folder / "guest"
        file.write_text(yaml.safe_dump(kubeconfig))
        self.reads = self._undo.enter_context(closing(connect(file, None, Limits())))

    @property
    def findings(self) -> tuple[PreflightFinding, ...]:
        """What preflight finds now."""
        return find(read_snapshot(self.reads, self.wanted))

    def wait(self, holds: Callable[[Cluster], object]) -> None:
        """Wait until something holds; it is looked at after every change of the cluster."""
        with Cluster.connect(self.simulation.kubeconfig) as cluster:
            cluster.wait(lambda: holds(cluster), "the cluster to follow", LIMIT)

    @contextmanager
    def _writing_as(self, manager: str) -> Iterator[None]:
        former, self.hand.manager = self.hand.manager, manager
        yield
        self.hand.manager = former


def _former(now: Any, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch that takes another one back."""
    now = now or {}
    return {
        key: _former(now.get(key), value) if isinstance(value, Mapping) else now.get(key)
        for key, value in patch.items()
    }
