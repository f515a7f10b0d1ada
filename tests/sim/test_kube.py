"""The API client: requests, refusals, and informers that lose no change."""

import aiohttp
import pytest

from conformance.sim.kube import CONFIG_MAPS, NODES, PODS, Event, KubeError, Object, PatchKind
from conformance.sim.kube.insist import insist, insist_unless_gone
from tests.sim.stage import make_pod, refused, stage, until


async def test_objects_are_created_read_changed_and_deleted() -> None:
    async with stage() as it:
        made = await it.kube.create(CONFIG_MAPS, {"metadata": {"name": "a"}, "data": {"x": "1"}}, "default")
        patched = await it.kube.patch(CONFIG_MAPS, "a", {"data": {"x": None, "y": "2"}}, "default")
        replaced = await it.kube.replace(CONFIG_MAPS, patched | {"data": {"z": "3"}})
        listed = await it.kube.list(CONFIG_MAPS, "default", field_selector="metadata.name=a")
        await it.kube.delete(CONFIG_MAPS, "a", "default", uid=made["metadata"]["uid"])
        gone = await refused(it.kube.get(CONFIG_MAPS, "a", "default"))

    assert patched["data"] == {"y": "2"}
    assert replaced["data"] == {"z": "3"}
    assert [item["data"] for item in listed.items] == [{"z": "3"}]
    assert gone.not_found


async def test_refusals_say_what_they_are() -> None:
    async with stage() as it:
        made = await it.kube.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, "default")
        twice = await refused(it.kube.create(CONFIG_MAPS, {"metadata": {"name": "a"}}, "default"))
        await it.kube.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}}, "default")
        stale = await refused(it.kube.replace(CONFIG_MAPS, made))
        other = await refused(it.kube.delete(CONFIG_MAPS, "a", "default", uid="not-this-one"))

    assert (twice.already_exists, twice.conflict) == (True, False)
    assert stale.conflict
    assert other.conflict
    assert "not-this-one" in other.message


async def test_every_kind_of_patch_reaches_the_server() -> None:
    async with stage() as it:
        label = [{"op": "add", "path": "/metadata/labels/a", "value": "1"}]
        await it.kube.patch(NODES, "sim-0", label, kind=PatchKind.JSON)
        condition = {"status": {"conditions": [{"type": "Custom", "status": "True"}]}}
        await it.kube.patch(NODES, "sim-0", condition, None, "status", PatchKind.STRATEGIC)
        applied = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "sim-0", "labels": {"b": "2"}}}
        node = await it.kube.patch(NODES, "sim-0", applied, kind=PatchKind.APPLY, field_manager="somebody")

    assert node["metadata"]["labels"].items() >= {"a": "1", "b": "2"}.items()
    assert {"Ready", "Custom"} <= {condition["type"] for condition in node["status"]["conditions"]}


async def test_what_is_applied_belongs_to_the_name_of_the_client() -> None:
    async with stage() as it:
        wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}
        made = await it.kube.named("somebody").patch(CONFIG_MAPS, "a", wanted, "default", kind=PatchKind.APPLY)

    assert [entry["manager"] for entry in made["metadata"]["managedFields"]] == ["somebody"]


async def test_an_informer_tells_every_change_once_and_in_order() -> None:
    async with stage() as it:
        seen: list[tuple[Event, str]] = []
        informer = it.kube.informer(CONFIG_MAPS, "default", field_selector="metadata.name=a")
        await informer.synced.wait()
        informer.on_change(lambda event, _, new: seen.append((event, (new.get("data") or {}).get("n", ""))))
        await it.kube.create(CONFIG_MAPS, {"metadata": {"name": "a"}, "data": {"n": "0"}}, "default")
        for number in range(1, 20):
            await it.kube.patch(CONFIG_MAPS, "a", {"data": {"n": str(number)}}, "default")
        await it.kube.delete(CONFIG_MAPS, "a", "default")
        await until(informer, lambda: len(seen) == 21)

    assert seen[0] == (Event.ADDED, "0")
    assert seen[1:20] == [(Event.MODIFIED, str(number)) for number in range(1, 20)]
    assert seen[20] == (Event.DELETED, "19")


async def test_a_late_handler_hears_of_what_is_there() -> None:
    async with stage() as it:
        names: list[str] = []
        it.kube.informer(NODES).on_change(lambda event, _, new: names.append(f"{event} {new['metadata']['name']}"))

    assert names == ["ADDED sim-0"]


async def test_informers_of_the_same_scope_are_one() -> None:
    async with stage() as it:
        assert it.kube.informer(PODS) is it.kube.named("other").informer(PODS)
        assert it.kube.informer(PODS) is not it.kube.informer(PODS, "default")


async def test_an_informer_survives_an_expired_history_and_tells_the_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A watch that answers 410 leads to a new list, whose differences are told as if they had been watched."""
    async with stage() as it:
        seen: list[tuple[Event, str]] = []
        informer = it.kube.informer(CONFIG_MAPS, "default")
        await informer.synced.wait()
        await informer.stop()
        for name in ("a", "b"):
            await it.kube.create(CONFIG_MAPS, {"metadata": {"name": name}}, "default")
        informer.on_change(lambda event, _, new: seen.append((event, new["metadata"]["name"])))
        present = len(informer.cache)
        expired = KubeError(410, "Expired", "too old resource version")
        answers: list[BaseException] = [expired]
        original = informer._watch

        async def watch() -> None:
            if answers:
                raise answers.pop()
            await original()

        monkeypatch.setattr(informer, "_watch", watch)
        informer.start()
        await until(informer, lambda: len(informer.cache) == present + 2)

    assert {(Event.ADDED, "a"), (Event.ADDED, "b")} <= set(seen)


async def test_an_informer_comes_back_after_the_connection_broke() -> None:
    async with stage() as it:
        informer = it.kube.informer(CONFIG_MAPS, "default")
        await informer.synced.wait()
        connector = it.kube._watches.connector
        assert connector is not None
        for connection in tuple(connector._acquired):
            connection.close()
        await it.kube.create(CONFIG_MAPS, {"metadata": {"name": "later"}}, "default")
        await until(informer, lambda: informer.get("later", "default"))


async def test_a_namespace_of_pods_is_bound_by_name() -> None:
    async with stage() as it:
        pod = await it.kube.create(PODS, make_pod(node=None), "default")
        await it.kube.bind("default", "pod", "sim-0", pod["metadata"]["uid"])
        running = await it.until_phase("pod", "Running")

    assert running["spec"]["nodeName"] == "sim-0"


async def test_insisting_repeats_what_the_connection_lost_and_nothing_else() -> None:
    answers: list[Exception | int] = [aiohttp.ServerDisconnectedError(), KubeError(503, "", ""), 7]

    async def request() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await insist(request) == 7

    answers.append(KubeError(422, "Invalid", "no"))
    with pytest.raises(KubeError, match="Invalid"):
        await insist(request)


@pytest.mark.parametrize("status", [404, 409])
async def test_an_object_that_is_gone_or_another_one_needs_no_more_writing(status: int) -> None:
    async def request() -> Object:
        raise KubeError(status, "", "")

    assert await insist_unless_gone(request) is None
