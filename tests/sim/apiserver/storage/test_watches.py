"""Watches: what is seen, from where on, and how a watch ends and goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any

import pytest

from tests.sim.apiserver.stand import Http, names_of

Event = dict[str, Any]


def revision(http: Http, path: str) -> str:
    found: str = http.get(path).body["metadata"]["resourceVersion"]
    return found


def create(http: Http, path: str, name: str, **labels: str) -> None:
    assert http.post(path, {"metadata": {"name": name, "labels": labels}}).status == 201


def test_changes_are_seen_as_they_happen(http: Http, config_maps: str) -> None:
    with http.watching(config_maps, resourceVersion=revision(http, config_maps), labelSelector="w") as events:
        create(http, config_maps, "x", w="")
        http.merge(f"{config_maps}/x", {"data": {"a": "b"}})
        http.delete(f"{config_maps}/x")
        assert names_of(list(islice(events, 3))) == [("ADDED", "x"), ("MODIFIED", "x"), ("DELETED", "x")]


def test_watch_without_a_version_begins_with_what_is_there(http: Http, config_maps: str) -> None:
    create(http, config_maps, "old", w="")
    with http.watching(config_maps, labelSelector="w") as events:
        create(http, config_maps, "new", w="")
        assert names_of(list(islice(events, 2))) == [("ADDED", "old"), ("ADDED", "new")]


def test_watch_from_a_version_makes_up_for_what_was_missed(http: Http, config_maps: str) -> None:
    start = revision(http, config_maps)
    create(http, config_maps, "x", w="")
    http.merge(f"{config_maps}/x", {"data": {"a": "b"}})
    http.delete(f"{config_maps}/x")
    with http.watching(config_maps, resourceVersion=start, labelSelector="w") as events:
        seen = list(islice(events, 3))
    assert names_of(seen) == [("ADDED", "x"), ("MODIFIED", "x"), ("DELETED", "x")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(set(versions))


def test_objects_that_enter_or_leave_the_selector_appear_and_disappear(http: Http, config_maps: str) -> None:
    create(http, config_maps, "x", s="1")
    start = revision(http, config_maps)
    with http.watching(config_maps, resourceVersion=start, labelSelector="s=1") as events:
        create(http, config_maps, "other")
        left = http.merge(f"{config_maps}/x", {"metadata": {"labels": {"s": "2"}}}).body
        http.merge(f"{config_maps}/x", {"metadata": {"labels": {"s": "1"}}})
        seen = list(islice(events, 2))
    assert names_of(seen) == [("DELETED", "x"), ("ADDED", "x")]
    gone = seen[0]["object"]["metadata"]
    assert gone["labels"] == {"s": "1"}, "the last state that matched"
    assert gone["resourceVersion"] == left["metadata"]["resourceVersion"], "under the version of the change"


def test_one_object_is_watched_by_its_name(http: Http, config_maps: str) -> None:
    start = revision(http, config_maps)
    with http.watching(config_maps, resourceVersion=start, fieldSelector="metadata.name=b") as events:
        create(http, config_maps, "a")
        create(http, config_maps, "b")
        assert names_of(list(islice(events, 1))) == [("ADDED", "b")]


def test_all_namespaces_are_watched_together(http: Http, namespace: str, config_maps: str) -> None:
    path = "/api/v1/configmaps"
    with http.watching(path, resourceVersion=revision(http, path), labelSelector=f"w={namespace}") as events:
        create(http, config_maps, "x", w=namespace)
        assert names_of(list(islice(events, 1))) == [("ADDED", "x")]


def test_watch_ends_after_its_timeout(http: Http, config_maps: str) -> None:
    begin = time.monotonic()
    with http.watching(config_maps, timeoutSeconds=1) as events:
        list(events)
    assert 0.9 < time.monotonic() - begin < 3


def test_streaming_list_ends_with_a_bookmark(http: Http, config_maps: str) -> None:
    create(http, config_maps, "x", w="")
    options = {"allowWatchBookmarks": "true", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    with http.watching(config_maps, labelSelector="w", **options) as events:
        first, bookmark = islice(events, 2)
        create(http, config_maps, "y", w="")
        later = next(events)
    assert names_of([first, later]) == [("ADDED", "x"), ("ADDED", "y")]
    meta = bookmark["object"]["metadata"]
    assert (bookmark["type"], bookmark["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
    assert meta["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(meta["resourceVersion"]) < int(later["object"]["metadata"]["resourceVersion"])


def test_streaming_list_needs_the_match_not_older_than(http: Http, config_maps: str) -> None:
    assert http.get(f"{config_maps}?watch=true&sendInitialEvents=true").status == 422


def test_bookmark_comes_before_the_end(http: Http, config_maps: str) -> None:
    """A client that resumes from it misses nothing, however often other resources have changed."""
    with http.watching(config_maps, timeoutSeconds=3, allowWatchBookmarks="true") as events:
        bookmark = next(event for event in events if event["type"] == "BOOKMARK")
    resumed = bookmark["object"]["metadata"]["resourceVersion"]
    create(http, config_maps, "after", w="")
    with http.watching(config_maps, resourceVersion=resumed, labelSelector="w") as events:
        assert names_of(list(islice(events, 1))) == [("ADDED", "after")]


def test_twenty_watchers_see_the_same(http: Http, config_maps: str) -> None:
    start = revision(http, config_maps)
    with ExitStack() as watches:
        watchers = [
            watches.enter_context(http.watching(config_maps, resourceVersion=start, labelSelector="w"))
            for _ in range(20)
        ]
        create(http, config_maps, "x", w="")
        assert all(names_of([next(events)]) == [("ADDED", "x")] for events in watchers)


class TestForgottenHistory:
    """A server that keeps five changes of each resource."""

    path = "/api/v1/namespaces/default/configmaps"

    def test_resume_from_before_the_history_is_an_error_event(self, forgetful: Http) -> None:
        start = revision(forgetful, self.path)
        for number in range(7):
            create(forgetful, self.path, f"x{number}")
        with forgetful.watching(self.path, resourceVersion=start) as events:
            (only,) = list(events)
        assert only["type"] == "ERROR"
        assert (only["object"]["code"], only["object"]["reason"]) == (410, "Expired")

    def test_first_revision_is_forgotten_from_the_start(self, forgetful: Http) -> None:
        with forgetful.watching(self.path, resourceVersion=1) as events:
            assert next(events)["object"]["code"] == 410

    def test_changes_of_other_resources_do_not_expire_a_watch(self, forgetful: Http) -> None:
        start = revision(forgetful, self.path)
        for number in range(20):
            create(forgetful, "/api/v1/namespaces/default/serviceaccounts", f"s{number}")
        create(forgetful, self.path, "x")
        with forgetful.watching(self.path, resourceVersion=start) as events:
            assert names_of(list(islice(events, 1))) == [("ADDED", "x")]

    def test_page_of_a_forgotten_list_is_expired(self, forgetful: Http) -> None:
        for number in range(4):
            create(forgetful, self.path, f"x{number}")
        token = forgetful.get(f"{self.path}?limit=2").body["metadata"]["continue"]
        for number in range(4, 11):
            create(forgetful, self.path, f"x{number}")
        refused = forgetful.get(f"{self.path}?limit=2&continue={token}")
        assert (refused.status, refused.reason) == (410, "Expired")

    def test_client_that_resumes_from_bookmarks_misses_nothing(self, forgetful: Http) -> None:
        """Watches end every two seconds, the history is short, and no list is made after the first."""
        seen: list[str] = []
        at = revision(forgetful, self.path)
        for number in range(6):
            with forgetful.watching(self.path, resourceVersion=at, allowWatchBookmarks="true") as events:
                if number % 2 == 0:
                    for part in range(3):
                        create(forgetful, self.path, f"x{number}-{part}")
                for event in until_quiet(events):
                    assert event["type"] != "ERROR"
                    at = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        seen.append(event["object"]["metadata"]["name"])
        assert seen == [f"x{number}-{part}" for number in (0, 2, 4) for part in range(3)]


def until_quiet(events: Iterator[Event]) -> Iterator[Event]:
    """Yield events up to the first bookmark, after which the watch would only wait."""
    for event in events:
        yield event
        if event["type"] == "BOOKMARK":
            return


@pytest.mark.parametrize("query", ["resourceVersion=0", ""])
def test_list_and_watch_agree_on_the_version(http: Http, config_maps: str, query: str) -> None:
    create(http, config_maps, "x", w="")
    listed = http.get(f"{config_maps}?labelSelector=w&{query}").body
    assert [item["metadata"]["name"] for item in listed["items"]] == ["x"]
    start = listed["metadata"]["resourceVersion"]
    with http.watching(config_maps, resourceVersion=start, labelSelector="w") as events:
        create(http, config_maps, "y", w="")
        assert names_of([next(events)]) == [("ADDED", "y")]
