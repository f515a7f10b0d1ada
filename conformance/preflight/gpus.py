"""Checks of the nodes: GPUs that can do MIG, a driver that knows it, and whether their devices are shared."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.expect.label_parts import product
from conformance.expect.scope import first_driver
from conformance.operations.sharing import sharing_of
from conformance.preflight.finding import Seen
from conformance.preflight.snapshot import SeenNode, Snapshot
from conformance.spec.models import load_models
from conformance.spec.names import COMPUTE_MAJOR, CUDA_DRIVER_VERSION, GPU_PRESENT, GPU_PRODUCT, MIG_CAPABLE


def no_node(snapshot: Snapshot) -> Iterator[Seen]:
    """No node has GPUs that can do MIG."""
    if not snapshot.mig_nodes:
        names = ", ".join(f"{node.name} ({_gpu(node)})" for node in snapshot.gpu_nodes)
        found = f"no node has GPUs that can do MIG: {names}" if names else "no node has an NVIDIA GPU"
        yield Seen("cluster", found, f"MIG needs GPUs such as A100, H100 or B200, and the label {MIG_CAPABLE}=true")


def not_described(snapshot: Snapshot) -> Iterator[Seen]:
    """A node has GPUs, and GPU Feature Discovery does not say whether they can do MIG."""
    for node in snapshot.gpu_nodes:
        if MIG_CAPABLE not in node.labels:
            fix = "see the pods of nvidia-driver-daemonset and gpu-feature-discovery on the node"
            yield Seen(str(node), f"it has NVIDIA GPUs, but no label {MIG_CAPABLE}", fix)


def not_capable(snapshot: Snapshot) -> Iterator[Seen]:
    """A node has GPUs of a model with MIG, and its driver says that they cannot do it."""
    known = _products()
    for node in snapshot.gpu_nodes:
        if node.labels.get(MIG_CAPABLE) == "false" and _product(node) in known:
            fix = "update the driver; in a virtual machine, pass the whole GPU through, not a vGPU"
            yield Seen(str(node), f"{_product(node)} has MIG, but its label says {MIG_CAPABLE}=false", fix)


def unknown_model(snapshot: Snapshot) -> Iterator[Seen]:
    """The suite does not know the GPU model of a node, so less is expected of it."""
    known = _products()
    for node in snapshot.mig_nodes:
        if (name := _product(node)) and name not in known:
            fix = "add the model to conformance/spec/models.yaml; until then profiles come from the file of mig-manager"
            yield Seen(str(node), f"the suite does not know the GPU model {name}", fix)


def old_driver(snapshot: Snapshot) -> Iterator[Seen]:
    """The driver of a node is older than the first one with MIG on its GPUs."""
    for node in snapshot.mig_nodes:
        driver = node.labels.get(CUDA_DRIVER_VERSION, "")
        if needed := first_driver(driver, node.labels):
            fix = f"install driver {needed} or newer (spec.driver.version of the ClusterPolicy)"
            yield Seen(
                str(node),
                f"driver {driver} has no MIG for GPUs of compute capability {node.labels[COMPUTE_MAJOR]}",
                fix,
            )


def shared(snapshot: Snapshot) -> Iterator[Seen]:
    """Devices are shared by several containers, so that names, counts and labels are not those of MIG alone."""
    if snapshot.policy is None:
        return
    for node in snapshot.mig_nodes:
        if how := sharing_of(node.labels, snapshot.policy.view, snapshot.config_maps):
            fix = "leave out sharing on the nodes under test (spec.devicePlugin.config), to have these judged as well"
            yield Seen(str(node), f"devices are shared: {how}", fix)


def node_away(snapshot: Snapshot) -> Iterator[Seen]:
    """A node is not Ready."""
    for node in snapshot.mig_nodes:
        if not node.view.ready:
            yield Seen(str(node), "the node is not Ready", f"see `kubectl describe node {node.name}`")


def _products() -> set[str]:
    return {product(board.name) for model in load_models().values() for board in model.boards}


def _product(node: SeenNode) -> str:
    return node.labels.get(GPU_PRODUCT, "").partition("-MIG-")[0].removesuffix("-SHARED")


def _gpu(node: SeenNode) -> str:
    if node.labels.get(GPU_PRESENT) != "true":
        return "no NVIDIA GPU"
    return _product(node) or "GPU not described yet"
