"""The life of a pod: start, success, failure, crash loop, end; with as few requests as can be."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest

from conformance.sim.container import Container, Program
from conformance.sim.kube import CONFIG_MAPS, EVENTS, PODS, Event, Object
from tests.sim.stage import GPU, Plugin, Stage, make_pod, stage


def conditions(pod: Object) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in pod["status"]["conditions"]}


def state(pod: Object, container: int = 0) -> Object:
    found: Object = pod["status"]["containerStatuses"][container]["state"]
    return found


def restarts(pod: Object) -> int:
    return sum(status["restartCount"] for status in pod["status"].get("containerStatuses", []))


def watch(it: Stage, name: str = "pod") -> list[Object]:
    """Collect every version of a pod."""
    versions: list[Object] = []

    def note(_: Event, __: Object | None, pod: Object) -> None:
        if pod["metadata"]["name"] == name:
            versions.append(pod)

    it.kube.informer(PODS).on_change(note)
    return versions


async def test_a_pod_becomes_running_and_ready_in_one_step() -> None:
    async with stage() as it:
        versions = watch(it)
        await it.create()
        pod = await it.until_phase("pod", "Running")

    assert len(versions) == 2
    assert conditions(pod) == dict.fromkeys(
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"], "True"
    )
    assert "running" in state(pod)
    assert pod["status"]["podIP"].startswith("10.")
    assert pod["status"]["hostIP"] == "127.0.0.1"


@pytest.mark.parametrize(("command", "phase", "code"), [(["true"], "Succeeded", 0), (["false"], "Failed", 1)])
async def test_a_pod_that_runs_once_ends_in_its_phase(command: Sequence[str], phase: str, code: int) -> None:
    async with stage() as it:
        await it.create(command=command)
        pod = await it.until_phase("pod", phase)

    assert state(pod)["terminated"]["exitCode"] == code
    assert conditions(pod)["Ready"] == "False"


async def test_a_command_that_the_image_lacks_cannot_be_started() -> None:
    async with stage() as it:
        await it.create(command=["no-such-program"])
        pod = await it.until_phase("pod", "Failed")

    ended = state(pod)["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("StartError", 128)
    assert 'exec: "no-such-program": executable file not found in $PATH' in ended["message"]


async def test_an_image_without_a_command_runs_its_own_program() -> None:
    async def own(container: Container) -> int:
        container.log(f"version {container.version}")
        return 3

    async with stage(images={"tool": own}) as it:
        await it.create(command=[], image="registry.example:5000/path/tool:v1.2@sha256:0123")
        pod = await it.until_phase("pod", "Failed")
        log = it.log("pod")

    assert state(pod)["terminated"]["exitCode"] == 3
    assert log == ["version v1.2"]


async def test_init_containers_run_one_after_the_other_before_the_rest() -> None:
    order: list[str] = []

    async def note(container: Container) -> int:
        order.append(container.name)
        return 0

    async with stage(commands={"note": note}) as it:
        init = [{"name": name, "image": "x", "command": ["note"]} for name in ("first", "second")]
        await it.create(init=init, command=["note"])
        pod = await it.until_phase("pod", "Succeeded")

    assert order == ["first", "second", "main"]
    assert [status["ready"] for status in pod["status"]["initContainerStatuses"]] == [True, True]


async def test_an_init_container_that_takes_long_is_shown() -> None:
    async with stage() as it:
        await it.create(init=[{"name": "slow", "image": "x", "command": ["sleep", "infinity"]}])
        pod = await it.until_pod("pod", lambda pod: pod["status"].get("initContainerStatuses"))

    assert pod["status"]["phase"] == "Pending"
    assert conditions(pod)["Initialized"] == "False"
    assert "running" in pod["status"]["initContainerStatuses"][0]["state"]


async def test_an_init_container_that_fails_fails_the_pod() -> None:
    async with stage() as it:
        await it.create(init=[{"name": "broken", "image": "x", "command": ["false"]}])
        pod = await it.until_phase("pod", "Failed")

    assert conditions(pod)["Initialized"] == "False"


async def test_a_container_that_keeps_ending_waits_ever_longer() -> None:
    starts: list[float] = []

    async def crash(container: Container) -> int:
        starts.append(container.clock.now())
        return 1

    async with stage(commands={"crash": crash}, scale=1000) as it:
        await it.create(command=["crash"], restart="Always")
        pod = await it.until_pod("pod", lambda pod: restarts(pod) == 4)
        events = (await it.kube.list(EVENTS, "default")).items

    waits = [later - earlier for earlier, later in pairwise(starts)]
    for waited, least in zip(waits, [0, 10, 20, 40], strict=False):
        assert least <= waited < least + 10
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1
    assert "Back-off restarting failed container main in pod pod_default(" in events[0]["message"]


async def test_the_reason_of_a_crash_loop_is_shown() -> None:
    async with stage() as it:
        await it.create(command=["false"], restart="Always")
        pod = await it.until_pod("pod", lambda pod: "CrashLoopBackOff" in str(pod["status"]))

    message = state(pod)["waiting"]["message"]
    assert message.startswith("back-off 10s restarting failed container=main pod=pod_default(")
    assert conditions(pod)["Ready"] == "False"


async def test_a_pod_that_restarts_on_failure_succeeds_in_the_end() -> None:
    codes = [1, 0]

    async def flaky(_: Container) -> int:
        return codes.pop(0)

    async with stage(commands={"flaky": flaky}) as it:
        await it.create(command=["flaky"], restart="OnFailure")
        pod = await it.until_phase("pod", "Succeeded")

    assert restarts(pod) == 1


async def test_a_program_that_breaks_is_a_crash_and_says_so_in_the_log() -> None:
    async def broken(_: Container) -> int:
        raise RuntimeError("a bug")

    async with stage(commands={"broken": broken}) as it:
        await it.create(command=["broken"])
        await it.until_phase("pod", "Failed")
        log = it.log("pod")

    assert log[-1] == "RuntimeError: a bug"


@pytest.mark.parametrize(
    ("wrote", "policy", "code", "message"),
    [
        ("verdict", "File", 1, "verdict"),
        ("verdict", "FallbackToLogsOnError", 1, "verdict"),
        ("", "FallbackToLogsOnError", 1, "said\nlast"),
        ("", "FallbackToLogsOnError", 0, None),
        ("", "File", 1, None),
    ],
)
async def test_the_termination_message_is_what_the_program_wrote_or_the_end_of_its_log(
    wrote: str, policy: str, code: int, message: str | None
) -> None:
    async def own(container: Container) -> int:
        container.log("said\nlast")
        container.message = wrote
        return code

    async with stage(commands={"own": own}) as it:
        await it.create(command=["own"], container={"terminationMessagePolicy": policy})
        pod = await it.until_phase("pod", "Failed" if code else "Succeeded")

    assert state(pod)["terminated"].get("message") == message


async def test_a_pod_that_is_deleted_is_asked_to_end_and_then_goes() -> None:
    said: list[str] = []

    async def polite(container: Container) -> int:
        await container.stop.wait()
        said.append("goodbye")
        return 0

    async with stage(commands={"polite": polite}) as it:
        await it.create(command=["polite"])
        await it.until_phase("pod", "Running")
        await it.kube.delete(PODS, "pod", "default")
        asked = it.clock.now()
        await it.until_gone("pod")
        took = it.clock.now() - asked

    assert said == ["goodbye"]
    assert 0.3 <= took < 10


async def test_a_program_that_does_not_listen_is_killed_after_its_grace() -> None:
    ended: list[str] = []

    async def deaf(container: Container) -> int:
        try:
            await container.clock.sleep(1e6)
        except asyncio.CancelledError:
            ended.append("killed")
            raise
        return 0

    async with stage(commands={"deaf": deaf}) as it:
        await it.create(command=["deaf"], terminationGracePeriodSeconds=20)
        await it.until_phase("pod", "Running")
        await it.kube.delete(PODS, "pod", "default")
        asked = it.clock.now()
        await it.until_gone("pod")
        took = it.clock.now() - asked

    assert ended == ["killed"]
    assert 20 <= took < 30


async def test_a_pod_that_somebody_forces_away_leaves_nothing_running() -> None:
    ended = asyncio.Event()

    async def resident(container: Container) -> int:
        try:
            return await container.stopped()
        finally:
            ended.set()

    async with stage(commands={"resident": resident}) as it:
        await it.create(command=["resident"])
        await it.until_phase("pod", "Running")
        await it.kube.delete(PODS, "pod", "default", grace_seconds=0)
        await asyncio.wait_for(ended.wait(), 5)


async def test_a_pod_does_not_outlive_its_deadline() -> None:
    async with stage() as it:
        await it.create(activeDeadlineSeconds=30, terminationGracePeriodSeconds=1)
        await it.until_phase("pod", "Running")
        pod = await it.until_phase("pod", "Failed")

    assert pod["status"]["reason"] == "DeadlineExceeded"


async def test_a_pod_waits_for_its_config_map() -> None:
    async with stage() as it:
        volume = {"name": "settings", "configMap": {"name": "late"}}
        mount = {"volumeMounts": [{"name": "settings", "mountPath": "/etc/settings"}]}
        await it.create(command=["cat", "/etc/settings/a.yaml"], container=mount, volumes=[volume])
        await it.until(lambda: it.kube.informer(EVENTS).cache, EVENTS)
        (event,) = it.kube.informer(EVENTS).cache.values()
        await it.kube.create(CONFIG_MAPS, {"metadata": {"name": "late"}, "data": {"a.yaml": "a: 1\n"}}, "default")
        await it.until_phase("pod", "Succeeded")
        log = it.log("pod")

    assert event["reason"] == "FailedMount"
    assert event["message"] == 'MountVolume.SetUp failed for volume "settings" : configmap "late" not found'
    assert log == ["a: 1"]


async def test_a_pod_that_waits_for_a_volume_can_be_deleted() -> None:
    async with stage() as it:
        await it.create(volumes=[{"name": "settings", "configMap": {"name": "never"}}])
        await it.until(lambda: it.kube.informer(EVENTS).cache, EVENTS)
        await it.kube.delete(PODS, "pod", "default")
        await it.until_gone("pod")


async def test_a_pod_without_its_devices_is_rejected_for_good() -> None:
    async with stage() as it:
        it.nodes[0].devices.register(GPU, Plugin(ids=("GPU-a",)))
        await it.create(limits={GPU: "2"})
        pod = await it.until_phase("pod", "Failed")
        await it.until(lambda: it.kube.informer(EVENTS).cache, EVENTS)
        (event,) = it.kube.informer(EVENTS).cache.values()

    message = (
        "Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. "
        "Requested: 2, Available: 1, which is unexpected"
    )
    assert pod["status"]["reason"] == event["reason"] == "UnexpectedAdmissionError"
    assert pod["status"]["message"] == f"Pod was rejected: {message}"
    assert event["message"] == message


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        (Plugin(refuses="no"), "rpc error: code = Unknown desc = no"),
        (Plugin(crashes=KeyError("x")), "rpc error: code = Unavailable desc = error reading from server: EOF"),
    ],
    ids=["refuses", "crashes"],
)
async def test_an_allocation_that_fails_costs_one_pod_and_the_next_one_runs(plugin: Plugin, reason: str) -> None:
    async with stage() as it:
        it.nodes[0].devices.register(GPU, plugin)
        await it.create(name="first", limits={GPU: "1"})
        pod = await it.until_phase("first", "Failed")
        it.nodes[0].devices.register(GPU, Plugin())
        await it.create(name="second", limits={GPU: "2"})
        await it.until_phase("second", "Running")

    assert pod["status"]["reason"] == "UnexpectedAdmissionError"
    assert pod["status"]["message"] == f"Pod was rejected: Allocate failed due to {reason}, which is unexpected"


async def test_devices_are_free_again_once_a_pod_has_ended() -> None:
    async with stage() as it:
        it.nodes[0].devices.register(GPU, Plugin(ids=("GPU-a",)))
        await it.create(name="first", command=["true"], limits={GPU: "1"})
        await it.until_phase("first", "Succeeded")
        await it.create(name="second", limits={GPU: "1"})
        await it.until_phase("second", "Running")
        await it.kube.delete(PODS, "second", "default")
        await it.until_gone("second")
        await it.create(name="third", limits={GPU: "1"})
        await it.until_phase("third", "Running")


def looking() -> tuple[dict[str, frozenset[str] | None], Program]:
    """A program that notes which devices its container sees, and these notes by container."""
    seen: dict[str, frozenset[str] | None] = {}

    async def look(container: Container) -> int:
        seen[container.name] = container.visible
        return 0

    return seen, look


async def test_a_container_sees_the_devices_of_the_init_container_before_it() -> None:
    seen, look = looking()

    async with stage(commands={"look": look}) as it:
        it.nodes[0].devices.register(GPU, Plugin())
        limits = {"resources": {"limits": {GPU: "1"}}}
        init = [{"name": "probe", "image": "x", "command": ["look"], **limits}]
        await it.create(command=["look"], init=init, limits={GPU: "1"})
        await it.until_phase("pod", "Succeeded")

    assert seen == {"probe": frozenset({"GPU-a"}), "main": frozenset({"GPU-a"})}


async def test_only_one_container_gets_the_device_of_an_init_container() -> None:
    seen, look = looking()

    async with stage(commands={"look": look}) as it:
        it.nodes[0].devices.register(GPU, Plugin())
        limits = {"resources": {"limits": {GPU: "1"}}}
        pod = make_pod(command=["look"], init=[{"name": "probe", "image": "x", "command": ["look"], **limits}])
        pod["spec"]["containers"] = [
            {**pod["spec"]["containers"][0], "name": name, **limits} for name in ("one", "two")
        ]
        await it.kube.create(PODS, pod, "default")
        await it.until_phase("pod", "Succeeded")

    assert seen["probe"] in (seen["one"], seen["two"])
    assert seen["one"] != seen["two"]


async def test_what_goes_well_is_told_where_somebody_may_look() -> None:
    """As kubelet v1.36 and kube-scheduler word it."""
    async with stage(scheduler=True, normal_events=True) as it:
        events = it.kube.informer(EVENTS)
        await events.synced.wait()

        def told() -> list[Object]:
            return [one for one in events.cache.values() if one["involvedObject"]["kind"] == "Pod"]

        await it.create(node=None)
        await it.until_phase("pod", "Running")
        await it.kube.delete(PODS, "pod", "default")
        await it.until(lambda: len(told()) == 5, EVENTS)

    assert {(one["type"], one["reason"], one["message"]) for one in told()} == {
        ("Normal", "Scheduled", "Successfully assigned default/pod to sim-0"),
        (
            "Normal",
            "Pulled",
            'Container image "ubuntu:24.04" already present on machine and can be accessed by the pod',
        ),
        ("Normal", "Created", "Container created"),
        ("Normal", "Started", "Container started"),
        ("Normal", "Killing", "Stopping container main"),
    }
    assert {one["involvedObject"].get("fieldPath") for one in told()} == {None, "spec.containers{main}"}
    assert {one["source"]["component"] for one in told()} == {"default-scheduler", "kubelet"}
