"""What the operator remembers of the nodes."""

from conformance.sim.operator.census import Census

GPU = {"nvidia.com/gpu.present": "true"}
FEATURES = {"feature.node.kubernetes.io/pci-10de.present": "true"}


def test_nodes_are_counted_as_long_as_they_have_the_labels() -> None:
    census = Census()
    for node in ("a", "b"):
        census.set(node, GPU | FEATURES)
    assert (census.gpu_nodes, census.found_features) == (2, True)

    census.set("a", GPU)
    census.drop("b")
    assert (census.gpu_nodes, census.found_features) == (1, False)


def test_changed_nodes_come_in_the_order_in_which_they_joined() -> None:
    census = Census()
    for node in ("b", "a", "c"):
        census.set(node, {})
    census.set("b", GPU)
    assert census.changed() == [("b", GPU), ("a", {}), ("c", {})]

    census.drop("b")
    census.set("b", GPU)
    assert [name for name, _ in census.changed()] == ["a", "c", "b"]


def test_a_node_is_looked_at_again_only_after_a_change() -> None:
    census = Census()
    census.set("a", {})
    census.set("a", GPU)
    census.looked_at("a", {})
    assert census.changed() == [("a", GPU)]

    census.looked_at("a", GPU)
    census.set("a", dict(GPU))
    assert census.changed() == []

    census.look_at_all()
    assert census.changed() == [("a", GPU)]
