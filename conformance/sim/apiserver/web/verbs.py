"""Get, list, watch, create, update, patch and delete over HTTP."""

from __future__ import annotations

import random
from http import HTTPStatus

from aiohttp import web

from conformance.sim.apiserver.errors import (
    UnreadableError,
    bad_request,
    invalid,
    method_not_allowed,
    not_found,
    required,
    unprocessable,
    unsupported_media_type,
)
from conformance.sim.apiserver.objects import Object, look, name_of
from conformance.sim.apiserver.storage.listing import list_page
from conformance.sim.apiserver.storage.watching import Settings, Watch, Watches, WatchOptions
from conformance.sim.apiserver.web.answers import Representation, json_answer, negotiate, success
from conformance.sim.apiserver.web.request import (
    Target,
    flag,
    media_of,
    number,
    query_of,
    read_delete_options,
    read_object,
    read_patch,
    write_options_of,
)
from conformance.sim.apiserver.writing.apply import applied, tracked
from conformance.sim.apiserver.writing.deletion import Deleted, delete
from conformance.sim.apiserver.writing.patches import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    PATCH_TYPES,
    STRATEGIC_PATCH,
    apply_operations,
    merge,
    strategic,
)
from conformance.sim.apiserver.writing.registry import Registry, WriteOptions, Written


class Verbs:
    """Handles requests for stored objects.

    The body is read before the store, so that no `await` comes between reading and writing the store.
    """

    def __init__(self, registry: Registry, settings: Settings, watches: Watches) -> None:
        self._registry = registry
        self._settings = settings
        self._watches = watches

    async def answer(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """Return the response to a request; raises ApiError if it is rejected."""
        watching = request.method == "GET" and flag(request.query, "watch")
        if watching and not target.subresource:
            return await self._watch(request, target)
        if target.subresource and request.method not in ("GET", "PUT", "PATCH"):
            raise method_not_allowed()
        handler = {
            ("GET", True): self._get,
            ("GET", False): self._list,
            ("POST", False): self._create,
            ("PUT", True): self._replace,
            ("PATCH", True): self._patch,
            ("DELETE", True): self._delete,
            ("DELETE", False): self._delete_collection,
        }.get((request.method, bool(target.name)))
        if handler is None:
            raise method_not_allowed()
        body = await request.read()
        return handler(request, target, body)

    def _form(self, request: web.BaseRequest, target: Target) -> Representation:
        accept, include = request.headers.get("Accept", ""), request.query.get("includeObject", "")
        return negotiate(accept, target.served, self._registry.now, include)

    def _get(self, request: web.BaseRequest, target: Target, _body: bytes) -> web.Response:
        record = self._registry.get(target.served, target.namespace, target.name)
        return json_answer(self._form(request, target).one(record))

    def _list(self, request: web.BaseRequest, target: Target, _body: bytes) -> web.Response:
        collection, query = self._registry.collection(target.served), query_of(target, request.query)
        page = list_page(collection, self._registry.store.revision, query)
        return json_answer(self._form(request, target).many(page))

    async def _watch(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        form, query = self._form(request, target), query_of(target, request.query)
        collection = self._registry.collection(target.served)
        watch = Watch(self._registry.store, collection, query, self._watch_options(request))
        close = self._watches.opened(watch)
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        answer.enable_chunked_encoding()
        try:
            await answer.prepare(request)
            async for batch in watch.batches():
                await answer.write(b"".join(map(form.event, batch)))
        except ConnectionResetError:  # the client went away without a word
            pass
        finally:
            close()
        return answer

    def _watch_options(self, request: web.BaseRequest) -> WatchOptions:
        shortest = self._settings.shortest_watch_seconds
        wanted = number(request.query, "timeoutSeconds") or shortest * (1 + random.random())  # noqa: S311 - no secret
        initial = request.query.get("sendInitialEvents")
        return WatchOptions(
            seconds=min(wanted, self._settings.longest_watch_seconds),
            bookmark_seconds=self._settings.bookmark_seconds if flag(request.query, "allowWatchBookmarks") else None,
            initial_events=None if initial is None else flag(request.query, "sendInitialEvents"),
        )

    def _create(self, request: web.BaseRequest, target: Target, body: bytes) -> web.Response:
        if target.served.resource.namespaced and not target.namespace:
            raise method_not_allowed()
        obj = read_object(body, media_of(request))
        options = _options(request)
        obj = tracked({}, obj, target.served, target.subresource, options.field_manager, self._registry.now())
        written = self._registry.create(target.served, target.namespace, obj, options)
        return self._written(request, target, written)

    def _replace(self, request: web.BaseRequest, target: Target, body: bytes) -> web.Response:
        obj = read_object(body, media_of(request))
        options, key = _options(request), (target.namespace, target.name)
        old = self._registry.collection(target.served).get(key)
        if old is None and target.served.kind.made_by_update:
            return self._written(request, target, self._registry.create(target.served, target.namespace, obj, options))
        if old is None:
            raise not_found(target.served.resource.plural, target.name, target.served.resource.group)
        obj = tracked(old.data, obj, target.served, target.subresource, options.field_manager, self._registry.now())
        written = self._registry.update(target.served, old, obj, options, target.subresource)
        return self._written(request, target, written)

    def _patch(self, request: web.BaseRequest, target: Target, body: bytes) -> web.Response:
        media, options = media_of(request), _options(request)
        known = [kind for kind in PATCH_TYPES if not (target.served.custom and kind == STRATEGIC_PATCH)]
        if media not in known:
            raise unsupported_media_type(known)
        patch = read_patch(body, media)
        if media == APPLY_PATCH:
            if not request.query.get("fieldManager"):
                cause = required("fieldManager", "is required for apply patch")
                raise unprocessable("PatchOptions", "", [cause], "meta.k8s.io")
            return self._written(request, target, self._apply(target, patch, options))
        old = self._registry.get(target.served, target.namespace, target.name)
        new = _patched(old.data, patch, media, target)
        new = tracked(old.data, new, target.served, target.subresource, options.field_manager, self._registry.now())
        try:
            written = self._registry.update(target.served, old, new, options, target.subresource)
        except UnreadableError as unreadable:
            raise unprocessable("", "", [invalid("patch", patch, unreadable.detail)]) from unreadable
        return self._written(request, target, written)

    def _apply(self, target: Target, patch: Object, options: WriteOptions) -> Written:
        key = (target.namespace, target.name)
        old = self._registry.collection(target.served).get(key)
        new = applied(old.data if old else None, patch, target.served, options, self._registry.now())
        if old is None:
            return self._registry.create(target.served, target.namespace, new, options)
        return self._registry.update(target.served, old, new, options, target.subresource)

    def _written(self, request: web.BaseRequest, target: Target, written: Written) -> web.Response:
        status = HTTPStatus.CREATED if written.created else HTTPStatus.OK
        quiet = request.query.get("fieldValidation") == "Ignore"
        body = self._form(request, target).one(written.record)
        return json_answer(body, status, () if quiet else written.warnings)

    def _delete(self, request: web.BaseRequest, target: Target, body: bytes) -> web.Response:
        options = read_delete_options(body, media_of(request), request.query)
        record = self._registry.get(target.served, target.namespace, target.name)
        deleted = delete(self._registry, target.served, record, options)
        return self._deleted(request, target, deleted)

    def _deleted(self, request: web.BaseRequest, target: Target, deleted: Deleted) -> web.Response:
        obj, resource = deleted.record.data, target.served.resource
        if target.served.kind.answers_object or not deleted.gone:
            return json_answer(self._form(request, target).one(deleted.record))
        details = {"name": name_of(obj), "kind": resource.plural, "uid": look(obj, "metadata", "uid")}
        return success(**({"group": resource.group} if resource.group else {}), **details)

    def _delete_collection(self, request: web.BaseRequest, target: Target, body: bytes) -> web.Response:
        options = read_delete_options(body, media_of(request), request.query)
        query = query_of(target, request.query)
        page = list_page(self._registry.collection(target.served), self._registry.store.revision, query)
        for record in page.records:
            delete(self._registry, target.served, record, options)
        return json_answer(self._form(request, target).many(page))


def _options(request: web.BaseRequest) -> WriteOptions:
    return write_options_of(request.query, request.headers.get("User-Agent", ""))


def _patched(old: Object, patch: object, media: str, target: Target) -> Object:
    """Return the stored object with a patch applied."""
    if media == JSON_PATCH:
        return apply_operations(old, patch)
    if media == MERGE_PATCH:
        merged: Object = merge(old, _object(patch))
        return merged
    return strategic(old, _object(patch), target.served.schema)


def _object(patch: object) -> Object:
    """Return the patch; raises ApiError (400) if it is not an object."""
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: json: cannot unmarshal array into Go value of type map")
    return patch
