"""What the device plugin answers to the kubelet (docs/reference/device-plugin.md#containers)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.sim.device_plugin.device_map import AdvertisedDevice
from conformance.sim.device_plugin.server import ResourceServer
from conformance.sim.device_plugin.settings import Settings
from conformance.sim.device_plugin.sharing import Shared, Sharing
from conformance.sim.faults import Faults
from conformance.sim.plugin_api import AllocateError, Mount

GPU = "nvidia.com/gpu"


def gpu(number: int, numa: int | None = 0) -> AdvertisedDevice:
    uuid = f"GPU-{number}"
    return AdvertisedDevice(uuid, uuid, str(number), uuid, numa, (f"/dev/nvidia{number}",))


def mig(number: int, index: int) -> AdvertisedDevice:
    uuid = f"MIG-{number}-{index}"
    return AdvertisedDevice(uuid, uuid, f"{number}:{index}", f"GPU-{number}", 0, (f"/dev/nvidia{number}",))


def replicas(device: AdvertisedDevice, count: int) -> list[AdvertisedDevice]:
    return [replace(device, id=f"{device.uuid}::{number}") for number in range(count)]


def server(
    devices: Sequence[AdvertisedDevice], settings: Settings | None = None, faults: Sequence[str] = ()
) -> ResourceServer:
    return ResourceServer(GPU, devices, settings or Settings(), Faults(faults), control_nodes=["/dev/nvidiactl"])


def ids(devices: Sequence[AdvertisedDevice]) -> list[str]:
    return [device.id for device in devices]


def test_several_ways_of_telling_devices_go_together() -> None:
    ways = ("envvar", "volume-mounts", "cdi-annotations", "cdi-cri")

    answer = server([mig(0, 3)], Settings(device_list=ways, pass_device_specs=True)).allocate(["MIG-0-3"])

    assert answer.envs == {"NVIDIA_VISIBLE_DEVICES": "/var/run/nvidia-container-devices"}
    assert answer.mounts == [Mount("/var/run/nvidia-container-devices/MIG-0-3", "/dev/null")]
    assert [node.container_path for node in answer.devices] == ["/dev/nvidiactl", "/dev/nvidia0"]
    assert list(answer.annotations.values()) == ["k8s.device-plugin.nvidia.com/gpu=MIG-0-3"]
    assert answer.cdi == ["k8s.device-plugin.nvidia.com/gpu=MIG-0-3"]
    assert answer.uuids == {"MIG-0-3"}


def test_cdi_alone_leaves_everything_else_to_the_specification() -> None:
    settings = Settings(device_list=("cdi-annotations", "cdi-cri"), pass_device_specs=True)

    answer = server([gpu(0)], settings).allocate(["GPU-0"])

    assert (answer.envs, answer.mounts, answer.devices) == ({}, [], [])
    assert answer.uuids == {"GPU-0"}


def test_replicas_of_one_device_are_given_once() -> None:
    answer = server(replicas(gpu(0), 3)).allocate(["GPU-0::0", "GPU-0::2"])

    assert answer.envs == {"NVIDIA_VISIBLE_DEVICES": "GPU-0"}


def test_before_v018_they_are_given_as_often_as_asked_for() -> None:
    """As the real v0.17.4 answers."""
    settings = Settings(device_list=("envvar", "cdi-cri"))
    old = ResourceServer(GPU, replicas(gpu(0), 3), settings, Faults(), unique_ids=False)

    answer = old.allocate(["GPU-0::0", "GPU-0::2"])

    assert answer.envs == {"NVIDIA_VISIBLE_DEVICES": "GPU-0,GPU-0"}
    assert answer.cdi == ["k8s.device-plugin.nvidia.com/gpu=GPU-0"] * 2


def test_index_ids_name_gpu_and_mig_device() -> None:
    assert server([mig(1, 4)], Settings(device_id="index")).allocate(["MIG-1-4"]).envs == {
        "NVIDIA_VISIBLE_DEVICES": "1:4"
    }


def test_unknown_device_is_refused() -> None:
    with pytest.raises(AllocateError, match=r'invalid allocation request for "nvidia.com/gpu": .*unknown device: no'):
        server([gpu(0)]).allocate(["no"])


def test_second_replica_is_refused_where_the_configuration_says_so() -> None:
    sharing = Sharing("time-slicing", (Shared(GPU, 2),), one_at_most=True)
    shared = server(replicas(gpu(0), 2), Settings(sharing=sharing))

    assert shared.allocate(["GPU-0::0"]).uuids == {"GPU-0"}
    with pytest.raises(AllocateError, match="maximum request size for shared resources is 1; found 2"):
        shared.allocate(["GPU-0::0", "GPU-0::1"])


def test_mps_adds_its_pipe_and_shared_memory() -> None:
    settings = Settings(sharing=Sharing("mps", (Shared(GPU, 2),), one_at_most=True), mps_root="/run/nvidia/mps")

    answer = server(replicas(gpu(0), 2), settings).allocate(["GPU-0::0"])

    assert answer.envs["CUDA_MPS_PIPE_DIRECTORY"] == "/mps/nvidia.com/gpu/pipe"
    assert answer.mounts == [
        Mount("/mps/nvidia.com/gpu/pipe", "/run/nvidia/mps/nvidia.com/gpu/pipe"),
        Mount("/dev/shm", "/run/nvidia/mps/shm"),  # noqa: S108
    ]


@pytest.mark.parametrize(("policy", "owners"), [("distributed", ["GPU-0", "GPU-1"]), ("packed", ["GPU-1", "GPU-1"])])
def test_shared_devices_are_spread_or_packed(policy: str, owners: list[str]) -> None:
    devices = [*replicas(gpu(0), 3), *replicas(gpu(1), 3)]
    free = ["GPU-0::0", "GPU-0::1", "GPU-0::2", "GPU-1::1", "GPU-1::2"]

    chosen = server(devices, Settings(allocation_policy=policy)).preferred(free, (), 2)

    assert [one.partition("::")[0] for one in chosen] == owners


def test_spreading_alternates_between_equally_used_gpus() -> None:
    devices = [*replicas(gpu(0), 4), *replicas(gpu(1), 4)]

    chosen = server(devices).preferred(ids(devices), (), 4)

    assert sorted(one.partition("::")[0] for one in chosen) == ["GPU-0", "GPU-0", "GPU-1", "GPU-1"]


def test_whole_gpus_are_chosen_near_each_other() -> None:
    devices = [gpu(0, 0), gpu(1, 1), gpu(2, 1), gpu(3, 0), gpu(4, 1)]

    assert server(devices).preferred(ids(devices), (), 3) == ["GPU-1", "GPU-2", "GPU-4"]
    assert server(devices).preferred(ids(devices), ["GPU-0"], 2) == ["GPU-0", "GPU-3"]


def test_preference_among_too_few_is_refused_but_of_whole_gpus_it_is_empty() -> None:
    """As the real v0.17.4 and v0.20.0 answer: the allocator of whole GPUs returns no error."""
    with pytest.raises(AllocateError, match="not enough available devices"):
        server([mig(0, 0), mig(0, 1)]).preferred(["MIG-0-0"], (), 2)
    assert server([gpu(0), gpu(1)]).preferred(["GPU-0"], (), 2) == []


def test_numa_node_is_left_out_where_the_machine_names_none() -> None:
    assert [device.numa for device in server([gpu(0, None), gpu(1, 1)]).devices()] == [(), (1,)]


def test_faults() -> None:
    devices = [mig(0, 0), mig(0, 1), mig(0, 2)]

    assert len(server(devices, faults=["plugin-count-off-by-one"]).devices()) == 2
    assert server(devices, faults=["plugin-extra-device"]).allocate(["MIG-0-0"]).uuids == {"MIG-0-0", "MIG-0-1"}
    whole = server(devices, faults=["plugin-gives-whole-gpu"]).allocate(["MIG-0-0"])
    assert whole.uuids == {"GPU-0"}
    assert whole.envs == {"NVIDIA_VISIBLE_DEVICES": "GPU-0"}


@given(st.data())
def test_preferred_devices_are_a_subset_of_the_right_size(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["whole", "mig", "shared"]))
    devices = {
        "whole": [gpu(number, number % 2) for number in range(6)],
        "mig": [mig(number // 3, number % 3) for number in range(6)],
        "shared": [*replicas(gpu(0), 3), *replicas(gpu(1), 3)],
    }[kind]
    available = data.draw(st.lists(st.sampled_from(ids(devices)), unique=True, min_size=1))
    required = data.draw(st.lists(st.sampled_from(available), unique=True))
    size = data.draw(st.integers(len(required), len(available)))
    policy = data.draw(st.sampled_from(["distributed", "packed"]))

    chosen = server(devices, Settings(allocation_policy=policy)).preferred(available, required, size)

    assert len(chosen) == len(set(chosen)) == size
    assert set(required) <= set(chosen) <= set(available)
