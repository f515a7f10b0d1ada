"""The device manager: three stages of a removed resource, who holds what, and the kubelet's refusals."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.sim.device_manager import GRACE_SECONDS, DeviceError, DeviceManager, Quantity
from conformance.sim.faults import Faults
from conformance.sim.plugin_api import AllocateError
from tests.sim.hand_clock import HandClock
from tests.sim.stage import GPU, Plugin


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def manager(clock: HandClock) -> DeviceManager:
    return DeviceManager(clock, Faults())


def take(manager: DeviceManager, pod: str, count: int, resource: str = GPU, container: str = "main") -> set[str]:
    manager.allocate(pod, container, {resource: str(count)}, {})
    return manager.held(pod, container).get(resource, set())


def test_a_resource_that_was_never_registered_is_not_there(manager: DeviceManager) -> None:
    assert manager.quantities() == {}


def test_unhealthy_devices_count_for_capacity_only(manager: DeviceManager) -> None:
    manager.register(GPU, Plugin(ids=("a", "b", "c"), sick={"b"}))

    assert manager.quantities() == {GPU: Quantity(3, 2)}


def test_an_empty_list_is_zero_at_once(manager: DeviceManager) -> None:
    manager.register(GPU, Plugin(ids=()))

    assert manager.quantities() == {GPU: Quantity(0, 0)}


def test_a_removed_resource_goes_through_three_stages_and_its_name_stays(
    manager: DeviceManager, clock: HandClock
) -> None:
    plugin = Plugin()
    manager.register(GPU, plugin)
    stages = [manager.quantities()[GPU]]

    manager.unregister(GPU, plugin)
    stages.append(manager.quantities()[GPU])
    clock.moment = GRACE_SECONDS - 0.1
    stages.append(manager.quantities()[GPU])
    clock.moment = GRACE_SECONDS
    stages.append(manager.quantities()[GPU])
    clock.moment = 1e6
    stages.append(manager.quantities()[GPU])

    assert stages == [(2, 2), (2, 0), (2, 0), (0, 0), (0, 0)]


def test_the_next_expiry_is_that_of_the_grace_period(manager: DeviceManager, clock: HandClock) -> None:
    plugin = Plugin()
    manager.register(GPU, plugin)
    assert manager.next_expiry() is None

    clock.moment = 7.0
    manager.unregister(GPU, plugin)
    assert manager.next_expiry() == 7.0 + GRACE_SECONDS

    clock.moment = 1000.0
    assert manager.next_expiry() is None


def test_a_plugin_that_comes_back_replaces_the_list_at_once(manager: DeviceManager) -> None:
    former = Plugin(ids=("a", "b", "c"))
    manager.register(GPU, former)
    manager.unregister(GPU, former)

    manager.register(GPU, Plugin(ids=("d",)))

    assert manager.quantities() == {GPU: Quantity(1, 1)}


def test_a_plugin_that_leaves_late_does_not_take_its_successor_along(manager: DeviceManager) -> None:
    former = Plugin()
    manager.register(GPU, former)
    manager.register(GPU, Plugin(ids=("d",)))

    manager.unregister(GPU, former)

    assert manager.quantities() == {GPU: Quantity(1, 1)}


def test_a_restarted_kubelet_knows_the_names_and_no_device(manager: DeviceManager) -> None:
    manager.register(GPU, Plugin())

    manager.restart()

    assert manager.quantities() == {GPU: Quantity(0, 0)}


async def test_a_restart_is_told_to_those_who_wait_for_it(manager: DeviceManager) -> None:
    waiting = asyncio.create_task(manager.restarted())
    await asyncio.sleep(0)

    manager.restart()

    await asyncio.wait_for(waiting, 1)


def test_every_change_is_reported(manager: DeviceManager) -> None:
    changes: list[dict[str, Quantity]] = []
    manager.on_change = lambda: changes.append(manager.quantities())
    plugin = Plugin()

    manager.register(GPU, plugin)
    manager.unregister(GPU, plugin)

    assert changes == [{GPU: (2, 2)}, {GPU: (2, 0)}]


def test_the_plugin_answers_for_the_chosen_devices(manager: DeviceManager) -> None:
    plugin = Plugin(ids=("a", "b", "c"))
    manager.register(GPU, plugin)

    grant = manager.allocate("pod", "main", {GPU: "2", "cpu": "4", "example.com/other": "1"}, {})

    assert plugin.asked == [["a", "b"]]
    assert [answer.uuids for answer in grant.answers] == [{"a", "b"}]


@given(st.lists(st.integers(1, 4), max_size=8), st.integers(0, 8))
def test_no_device_is_held_twice_and_none_is_lost(requests: list[int], devices: int) -> None:
    manager = DeviceManager(HandClock(), Faults())
    manager.register(GPU, Plugin(ids=tuple(f"device-{number}" for number in range(devices))))
    held: list[str] = []
    for number, count in enumerate(requests):
        try:
            held += take(manager, f"pod-{number}", count)
        except DeviceError:
            assert len(held) + count > devices

    assert len(held) == len(set(held)) <= devices
    for number in range(len(requests)):
        manager.release(f"pod-{number}")
    if devices:
        assert len(take(manager, "last", devices)) == devices


def test_the_devices_of_an_init_container_serve_those_after_it(manager: DeviceManager) -> None:
    manager.register(GPU, Plugin(ids=("a", "b")))
    first = take(manager, "pod", 2, container="init")

    manager.allocate("pod", "main", {GPU: "2"}, {GPU: first})

    assert manager.held("pod", "main")[GPU] == first


def too_few(manager: DeviceManager, _: HandClock) -> None:
    manager.register(GPU, Plugin(ids=("a",)))


def none_healthy(manager: DeviceManager, _: HandClock) -> None:
    manager.register(GPU, Plugin(ids=("a", "b"), sick={"a", "b"}))


def plugin_gone(manager: DeviceManager, _: HandClock) -> None:
    plugin = Plugin()
    manager.register(GPU, plugin)
    manager.unregister(GPU, plugin)


def plugin_long_gone(manager: DeviceManager, clock: HandClock) -> None:
    plugin_gone(manager, clock)
    clock.moment = GRACE_SECONDS + 1


def kubelet_restarted(manager: DeviceManager, _: HandClock) -> None:
    manager.register(GPU, Plugin())
    manager.restart()


def plugin_refuses(manager: DeviceManager, _: HandClock) -> None:
    manager.register(GPU, Plugin(refuses='invalid allocation request for "nvidia.com/gpu"'))


def plugin_crashes(manager: DeviceManager, _: HandClock) -> None:
    manager.register(GPU, Plugin(crashes=KeyError("GPU-a")))


def preference_refused(manager: DeviceManager, _: HandClock) -> None:
    manager.register(GPU, Plugin(ids=("a", "b", "c"), answers=AllocateError("not enough available devices")))


def preference_crashes(manager: DeviceManager, _: HandClock) -> None:
    manager.register(GPU, Plugin(ids=("a", "b", "c"), answers=ZeroDivisionError()))


CRASHED = "rpc error: code = Unavailable desc = error reading from server: EOF"
NO_PREFERENCE = "device plugin GetPreferredAllocation rpc failed with err: "


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (too_few, f"requested number of devices unavailable for {GPU}. Requested: 2, Available: 1"),
        (none_healthy, f"no healthy devices present; cannot allocate unhealthy devices {GPU}"),
        (plugin_gone, f"no healthy devices present; cannot allocate unhealthy devices {GPU}"),
        (plugin_long_gone, f"cannot allocate unregistered device {GPU}"),
        (kubelet_restarted, f"no healthy devices present; cannot allocate unhealthy devices {GPU}"),
        (plugin_refuses, 'rpc error: code = Unknown desc = invalid allocation request for "nvidia.com/gpu"'),
        (plugin_crashes, CRASHED),
        (preference_refused, f"{NO_PREFERENCE}rpc error: code = Unknown desc = not enough available devices"),
        (preference_crashes, f"{NO_PREFERENCE}{CRASHED}"),
    ],
)
def test_refusals_have_the_words_of_the_kubelet(
    prepare: Callable[[DeviceManager, HandClock], None], message: str, manager: DeviceManager, clock: HandClock
) -> None:
    prepare(manager, clock)

    with pytest.raises(DeviceError) as refusal:
        take(manager, "pod", 2)

    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("preferred", "held"),
    [
        (["c", "b"], {"c", "b"}),
        (["c"], {"c", "a"}),
        ([], {"a", "b"}),
        (["c", "c", "unknown"], {"c", "a"}),
        (["d", "c", "b", "a"], {"d", "c"}),
    ],
    ids=["as asked", "too few", "none", "twice, and one that does not exist", "too many"],
)
def test_the_kubelet_takes_of_the_preference_what_is_free_and_fills_up(
    preferred: list[str], held: set[str], manager: DeviceManager
) -> None:
    manager.register(GPU, Plugin(ids=("a", "b", "c", "d"), answers=preferred))

    assert take(manager, "pod", 2) == held


def test_a_limit_may_have_a_suffix(manager: DeviceManager) -> None:
    manager.register(GPU, Plugin(ids=tuple(f"device-{number}" for number in range(1000))))

    manager.allocate("pod", "main", {GPU: "1k"}, {})

    assert len(manager.held("pod", "main")[GPU]) == 1000


def test_devices_that_fell_ill_are_not_given_to_their_holder_again(manager: DeviceManager) -> None:
    manager.register(GPU, Plugin(ids=("a", "b")))
    take(manager, "pod", 1)

    manager.register(GPU, Plugin(ids=("a", "b"), sick={"a"}))

    with pytest.raises(DeviceError, match="previously allocated devices are no longer healthy"):
        take(manager, "pod", 1)


def test_fault_hands_out_twice() -> None:
    manager = DeviceManager(HandClock(), Faults(["kubelet-hands-out-twice"]))
    manager.register(GPU, Plugin(ids=("a", "b")))

    assert take(manager, "one", 1) == take(manager, "two", 1)


def test_fault_keeps_capacity() -> None:
    clock = HandClock()
    manager = DeviceManager(clock, Faults(["kubelet-keeps-capacity"]))
    plugin = Plugin()
    manager.register(GPU, plugin)
    manager.unregister(GPU, plugin)
    clock.moment = 1e6

    assert manager.quantities() == {GPU: Quantity(2, 0)}
