"""D-18, D-20: device lists of nodes and containers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from conformance.expect.devices import (
    DeviceUser,
    check_all_taken,
    check_gpu_users,
    check_neighbours,
    check_not_shared,
    check_one_device,
    check_size,
    check_slice_users,
    check_whole_gpu,
)
from conformance.expect.finding import ConformanceError
from conformance.expect.observed import ListedDevice, ListedGpu, ObservedGpu
from conformance.expect.scheduling import StartedPod
from conformance.spec.names import Strategy
from conformance.spec.profile import Profile
from tests.expect.made import SEVEN, context, gpu, listed, message_of

ONE_G = Profile(1, 1, 10)


ON_NODE = {"MIG-0-1-0": ONE_G, "MIG-0-2-0": ONE_G, "MIG-1-1-0": Profile(3, 3, 40)}


@pytest.mark.parametrize("profile", [None, ONE_G])
def test_one_device_passes(profile: Profile | None) -> None:
    check_one_device(context(), [listed(gpu(SEVEN), 1)], ON_NODE, profile)


@pytest.mark.parametrize(
    ("seen", "profile", "says"),
    [
        pytest.param(
            [listed(gpu(SEVEN), 2)],
            ONE_G,
            [
                "  expected    one MIG device of profile 1g.10gb",
                "  found       MIG 1g.10gb MIG-0-1-0",
                "              MIG 1g.10gb MIG-0-2-0",
                "  likely      the container got more devices than it requested",
            ],
            id="extra device",
        ),
        pytest.param(
            [listed(gpu())],
            None,
            [
                "  expected    one MIG device",
                "  found       GPU GPU-00000000-0000-0000-0000-000000000000 without MIG devices",
                "  likely      the container got the whole GPU instead of a MIG device",
            ],
            id="whole GPU",
        ),
        pytest.param([], None, ["  expected    one MIG device", "  found       no GPU"], id="nothing"),
        pytest.param(
            [listed(gpu(SEVEN), 1), listed(gpu(index=1))],
            None,
            [
                "  expected    one MIG device",
                "  found       MIG 1g.10gb MIG-0-1-0",
                "              GPU GPU-00000001-0000-0000-0000-000000000000 without MIG devices",
                "  likely      the container got the whole GPU instead of a MIG device",
            ],
            id="a whole GPU beside the slice",
        ),
        pytest.param(
            [listed(gpu(SEVEN, index=3), 1)],
            None,
            [
                "  expected    a MIG device of the node",
                "  found       MIG 1g.10gb MIG-3-1-0",
            ],
            id="not a device of the node",
        ),
        pytest.param(
            [listed(gpu(SEVEN), 1)],
            Profile(3, 3, 40),
            [
                "  expected    one MIG device of profile 3g.40gb",
                "  found       MIG 1g.10gb MIG-0-1-0",
            ],
            id="other profile",
        ),
    ],
)
def test_anything_but_one_device_fails(seen: list[ListedGpu], profile: Profile | None, says: list[str]) -> None:
    message = message_of(lambda: check_one_device(context(requirement="D-20"), seen, ON_NODE, profile))

    assert message.splitlines() == ["D-20 devices in a pod of node sim-0 under single, all-1g.10gb", *says]


def test_a_device_listed_with_another_profile_than_on_the_node() -> None:
    wrong = replace(listed(gpu(SEVEN), 1), devices=(ListedDevice("1g.20gb", 0, "MIG-0-1-0"),))

    assert "found       MIG 1g.20gb MIG-0-1-0" in message_of(lambda: check_one_device(context(), [wrong], ON_NODE))


def test_whole_gpu() -> None:
    seen, uuid = listed(gpu()), gpu().uuid

    check_whole_gpu(context(), [seen], [uuid])
    for wrong in ([], [seen, seen], [listed(gpu(SEVEN), 1)], [replace(seen, uuid="GPU-x")]):
        with pytest.raises(ConformanceError, match="expected    one whole GPU of the node"):
            check_whole_gpu(context(), wrong, [uuid])


def test_size_in_a_container() -> None:
    (device,) = gpu([[9, 0, 4, 1]]).instances
    in_pod = replace(gpu(), profiles={}, instances=(replace(device, start=None, size=None),))

    check_size(context(), [in_pod])
    small = replace(in_pod, instances=(replace(device, memory_mib=9984, multiprocessors=59),))
    assert message_of(lambda: check_size(context(requirement="D-20"), [small])) == (
        "D-20 device in a pod of node sim-0 under single, all-1g.10gb\n"
        "  expected    the figures of its profile\n"
        "  found       3g.40gb: 9984 of 81559 MiB do not give this name\n"
        "              3g.40gb: 59 multiprocessors instead of 60"
    )


def test_a_device_with_less_memory_in_the_container_than_on_the_node() -> None:
    """NVML may hide the total memory in a container, so the memory cannot be compared with the profile's name."""
    node = gpu([[9, 0, 4, 1]])
    (device,) = node.instances
    less = replace(device, start=None, size=None, memory_mib=20224, engines=None)
    in_pod = replace(node, memory_mib=0, profiles={}, instances=(less,))

    check_size(context(), [in_pod])
    assert message_of(lambda: check_size(context(requirement="D-20"), [in_pod], [node])) == (
        "D-20 device in a pod of node sim-0 under single, all-1g.10gb\n"
        "  expected    the figures of its profile\n"
        "  found       3g.40gb: memory MiB 20224, 40448 on the node"
    )


def test_a_device_in_two_pods() -> None:
    check_not_shared(context(), {"a": ["MIG-1"], "b": ["MIG-2"], "c": []})

    assert message_of(lambda: check_not_shared(context(requirement="D-20"), {"b": ["MIG-1"], "a": ["MIG-1"]})) == (
        "D-20 devices of all pods of node sim-0 under single, all-1g.10gb\n"
        "  expected    each device in one pod only\n"
        "  found       MIG-1 in a and b"
    )


# Pods that requested one device each --------------------------------------------------------------------------------

SLICE, GPU = "nvidia.com/mig-1g.10gb", "nvidia.com/gpu"
SLICED = gpu(SEVEN)
NEVER_RAN = DeviceUser(StartedPod("never", "Pending", None, "no room"), SLICE)


def slice_user(number: int, name: str = "", resource: str = SLICE) -> DeviceUser:
    """Return a pod that sees one MIG device of the node."""
    seen = replace(SLICED, instances=SLICED.instances[number : number + 1])
    return DeviceUser(StartedPod(name or f"pod-{number}", "Running", "sim-0", ""), resource, (listed(seen),), (seen,))


def gpu_user(of: ObservedGpu) -> DeviceUser:
    """Return a pod that sees this whole GPU."""
    return DeviceUser(StartedPod(f"pod-{of.index}", "Running", "sim-0", ""), GPU, (listed(of),), (of,))


def profile_of(resource: str) -> Profile | None:
    return ONE_G if resource == SLICE else None


@pytest.mark.parametrize("resource", [SLICE, GPU])
def test_each_pod_has_the_slice_that_it_requested(resource: str) -> None:
    """Under `single` any profile of the node is right."""
    check_slice_users(context(), [slice_user(at, resource=resource) for at in range(3)], [SLICED], profile_of)


def test_uuids_are_those_of_mig_devices_or_of_the_gpu_without_any() -> None:
    assert slice_user(2).uuids == [SLICED.instances[2].uuid]
    assert gpu_user(gpu()).uuids == [gpu().uuid]
    assert NEVER_RAN.uuids == []


@pytest.mark.parametrize("at", range(3))
def test_every_pod_is_checked(at: int) -> None:
    users = [slice_user(each) for each in range(3)]
    users[at] = replace(users[at], listing=(listed(gpu(SEVEN), 2),))
    assert "devices in a pod" in message_of(lambda: check_slice_users(context(), users, [SLICED], profile_of))

    gpus = [gpu(index=index) for index in range(3)]
    wholes = [gpu_user(one) for one in gpus]
    wholes[at] = replace(wholes[at], listing=())
    assert "one whole GPU" in message_of(lambda: check_gpu_users(context(), wholes, gpus))


@pytest.mark.parametrize("twins", [(0, 1), (0, 2), (1, 2)])
def test_every_pair_of_pods_is_compared(twins: tuple[int, int]) -> None:
    """A pod that started later must not have the device of the first either."""
    users = [slice_user(each) for each in range(3)]
    users[twins[1]] = slice_user(twins[0], f"pod-{twins[1]}")

    assert f"in pod-{twins[0]} and pod-{twins[1]}" in message_of(lambda: check_neighbours(context(), users))


def test_nvml_and_the_list_must_agree_in_the_pod() -> None:
    other = replace(slice_user(1), gpus=slice_user(2).gpus)

    message = message_of(lambda: check_slice_users(context(), [other], [SLICED], profile_of))
    assert SLICED.instances[1].uuid in message
    assert SLICED.instances[2].uuid in message


def test_a_device_must_have_the_same_figures_in_the_pod_as_on_the_node() -> None:
    (seen,) = slice_user(1).gpus
    smaller = replace(seen, instances=tuple(replace(one, memory_mib=5000) for one in seen.instances))

    assert "the figures of its profile" in message_of(
        lambda: check_slice_users(context(), [replace(slice_user(1), gpus=(smaller,))], [SLICED], profile_of)
    )


def test_each_pod_has_one_whole_gpu() -> None:
    gpus = [gpu(index=index) for index in range(3)]

    check_gpu_users(context(), [gpu_user(one) for one in gpus], gpus)
    assert "one whole GPU of the node" in message_of(
        lambda: check_gpu_users(context(), [gpu_user(gpus[0]), slice_user(0)], gpus)
    )


def test_no_two_pods_hold_the_same_device() -> None:
    check_neighbours(context(), [slice_user(at) for at in range(3)])

    message = message_of(lambda: check_neighbours(context(), [slice_user(0), slice_user(1), slice_user(1, "twin")]))
    assert f"{SLICED.instances[1].uuid} in pod-1 and twin" in message


@pytest.mark.parametrize(
    "check",
    [
        lambda users: check_slice_users(context(), users, [SLICED], profile_of),
        lambda users: check_gpu_users(context(), users, [SLICED]),
        lambda users: check_neighbours(context(), users),
    ],
    ids=["slices", "gpus", "neighbours"],
)
def test_a_pod_that_never_ran_is_reported_as_not_running(check: Callable[[list[DeviceUser]], None]) -> None:
    assert message_of(lambda: check([NEVER_RAN])) == (
        "D-01 pod never of node sim-0 under single, all-1g.10gb\n"
        "  expected    Running\n"
        "  found       Pending on no node\n"
        "              scheduler: no room"
    )


@pytest.mark.parametrize("phase", ["Failed", "Succeeded", "Pending"])
def test_a_pod_that_ran_and_ended_does_not_hold_its_device(phase: str) -> None:
    """What it saw comes first: a container that sees the wrong devices may end because of that."""
    user = slice_user(0)
    ended = replace(user, pod=replace(user.pod, phase=phase))
    whole = gpu_user(gpu())

    assert f"found       {phase} on sim-0" in message_of(
        lambda: check_slice_users(context(), [ended], [SLICED], profile_of)
    )
    assert f"found       {phase} on sim-0" in message_of(
        lambda: check_gpu_users(context(), [replace(whole, pod=ended.pod)], [gpu()])
    )
    wrong = replace(ended, listing=(listed(gpu(SEVEN), 2),))
    assert "devices in a pod" in message_of(lambda: check_slice_users(context(), [wrong], [SLICED], profile_of))


def test_the_container_that_holds_the_device_sees_no_other() -> None:
    user = slice_user(0)
    check_slice_users(context(), [replace(user, held=user.listing)], [SLICED], profile_of)

    message = message_of(
        lambda: check_slice_users(
            context(requirement="D-20"), [replace(user, held=(listed(gpu(SEVEN), 2),))], [SLICED], profile_of
        )
    )
    assert message == (
        "D-20 devices in the container of pod pod-0 that holds them of node sim-0 under single, all-1g.10gb\n"
        "  expected    MIG 1g.10gb MIG-0-1-0\n"
        "  found       MIG 1g.10gb MIG-0-1-0\n"
        "              MIG 1g.10gb MIG-0-2-0\n"
        "  likely      the container got more devices than it requested"
    )
    for held in ((), (listed(gpu()),), slice_user(1).listing):
        with pytest.raises(ConformanceError):
            check_slice_users(context(), [replace(user, held=held)], [SLICED], profile_of)
    whole = gpu_user(gpu())
    check_gpu_users(context(), [replace(whole, held=whole.listing)], [gpu()])
    with pytest.raises(ConformanceError):
        check_gpu_users(context(), [replace(whole, held=())], [gpu()])


def test_a_device_that_only_the_holding_container_sees_is_shared() -> None:
    greedy = replace(slice_user(0), held=(listed(gpu(SEVEN), 2),))

    assert f"{SLICED.instances[1].uuid} in pod-0 and pod-1" in message_of(
        lambda: check_neighbours(context(), [greedy, slice_user(1)])
    )


def test_under_mixed_a_whole_gpu_is_one_beside_the_slices() -> None:
    """On a node with MIG on some GPUs `nvidia.com/gpu` stands for the others."""
    whole = gpu(index=1)
    users, on_node = [slice_user(0), gpu_user(whole)], [SLICED, whole]
    mixed = context(strategy=Strategy.MIXED)

    check_slice_users(mixed, users, on_node, profile_of)
    for wrong in (gpu_user(replace(SLICED, instances=())), slice_user(1, resource=GPU)):
        with pytest.raises(ConformanceError, match="one whole GPU of the node"):
            check_slice_users(mixed, [users[0], wrong], on_node, profile_of)
    with pytest.raises(ConformanceError, match="one MIG device"):
        check_slice_users(context(), users, on_node, profile_of)


def taken(*uuids: str) -> list[DeviceUser]:
    """A pod for each device."""
    found = {device.uuid: device for device in listed(gpu(SEVEN), 7).devices}
    return [
        DeviceUser(
            StartedPod(f"pod-{at}", "Running", "sim-0", ""),
            "nvidia.com/gpu",
            (replace(listed(gpu(SEVEN), 1), devices=(replace(found.get(uuid, found["MIG-0-1-0"]), uuid=uuid),)),),
        )
        for at, uuid in enumerate(uuids)
    ]


def test_all_devices_are_taken_once_each() -> None:
    uuids = [device.uuid for device in gpu(SEVEN).instances]

    check_all_taken(context(), taken(*uuids), [gpu(SEVEN)], "nvidia.com/gpu", 7)
    for wrong, count, said in (
        (uuids[:6], 7, "6 devices"),
        (uuids, 6, "7 devices"),
        ([*uuids[:6], uuids[0]], 7, uuids[0]),
        ([*uuids[:6], "MIG-strange"], 7, "MIG-strange is no MIG device of the node"),
    ):
        with pytest.raises(ConformanceError, match=said):
            check_all_taken(context(), taken(*wrong), [gpu(SEVEN)], "nvidia.com/gpu", count)
