"""GPU instances from the list of nvidia-smi are those that the probe shows to a privileged process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.expect.instance_list import with_gpu_instances
from conformance.expect.observed import ObservedGpu
from conformance.expect.readings import read_probe
from conformance.sim import nvidia_smi
from conformance.sim.hardware import NodeHardware
from tests.probe.running import run_probe


def hardware(*profiles: str) -> NodeHardware:
    """Two GPUs; the second carries these GPU instances, of which the first has no compute instance."""
    node = NodeHardware(["h100-80gb-hbm3"] * 2)
    for gpu in node.gpus:
        node.set_mode(gpu, True)
    for profile in profiles:
        instance = node.gpus[1].create_instance(node.gpus[1].model.row(profile))
        if profile != profiles[0]:
            node.gpus[1].create_compute_instance(instance, 0)
    return node


def unprivileged(node: NodeHardware) -> tuple[ObservedGpu, ...]:
    return tuple(replace(gpu, gpu_instances=None) for gpu in read_probe(run_probe(node)))


@pytest.mark.parametrize("profiles", [(), ("1g.10gb",), ("3g.40gb", "1g.10gb+me", "1g.20gb")], ids=len)
def test_the_list_shows_what_nvml_shows(profiles: tuple[str, ...]) -> None:
    node = hardware(*profiles)
    listed = nvidia_smi.run(["mig", "-lgi"], node)[1]

    seen = with_gpu_instances(unprivileged(node), listed)

    assert seen == read_probe(run_probe(node))
    assert [len(gpu.bare_instances) for gpu in seen] == [0, int(bool(profiles))]


def test_what_nvml_showed_is_kept() -> None:
    gpus = read_probe(run_probe(hardware("1g.10gb")))

    assert with_gpu_instances(gpus, "No GPU instances found: Not Found") == gpus


def test_gpus_without_instances_in_nvml_have_none_of_the_list() -> None:
    node = hardware()
    before = read_probe(run_probe(node))
    node.gpus[1].create_instance(node.gpus[1].model.row("1g.10gb"))

    assert with_gpu_instances(before, nvidia_smi.run(["mig", "-lgi"], node)[1]) == before


@pytest.mark.parametrize("said", ["", "Insufficient Permissions\n", "command not found"])
def test_what_is_no_list_tells_nothing(said: str) -> None:
    gpus = unprivileged(hardware("1g.10gb"))

    assert with_gpu_instances(gpus, said) == gpus
