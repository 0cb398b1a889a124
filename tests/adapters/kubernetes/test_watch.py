"""A watch outlives what happens to links and servers, and tells it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random

import pytest
from aiohttp import web

from emqx_tui.adapters.kubernetes.watch import Contact, Pace, Reflector
from emqx_tui.model.errors import Forbidden, MalformedAnswer, NotFound, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.model.wire import Unreadable
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.session.ports import Alive, Changed, Listed, Lost, Removed, Scope


class Seen:
    """A sink that keeps the collection as a session would."""

    def __init__(self) -> None:
        self.inputs = []
        self.objects = {}

    def __call__(self, found) -> None:
        self.inputs.append(found)
        match found:
            case Listed(objects=objects):
                self.objects = dict(objects)
            case Changed(key=key, object=value):
                self.objects[key] = value
            case Removed(key=key):
                self.objects.pop(key, None)

    def names(self) -> list[str]:
        return sorted(name for _, name in self.objects)

    def of(self, kind: type) -> list:
        return [found for found in self.inputs if isinstance(found, kind)]


@pytest.fixture
async def watching(api, client_of):
    """Start a watch on the pods of a namespace; it must still run at the end."""
    tasks = []

    def start(server=api, **options) -> Seen:
        seen = Seen()
        kube = client_of(server, **options)
        tasks.append(asyncio.create_task(kube.watch(Kind.POD, Scope("emqx"), seen)))
        return seen

    yield start
    for task in tasks:
        assert not task.done(), task.exception()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_lists_in_pages_then_follows(api, watching, until):
    for number in range(601):
        api.objects[f"p-{number:03}"] = {"metadata": {"namespace": "emqx", "name": f"p-{number:03}"}}
    seen = watching()
    await until(lambda: len(seen.objects) == 601)
    assert [query.get("continue") for query in api.lists] == [None, "250", "500"]
    assert all(query["limit"] == "250" for query in api.lists)
    assert len(seen.of(Listed)) == 1

    await until(lambda: api.watches)
    api.put("p-000", phase="Failed")
    api.put("p-001", "DELETED")
    await until(lambda: ("emqx", "p-001") not in seen.objects)
    assert seen.objects["emqx", "p-000"].phase == "Failed"
    assert [gone.uid for gone in seen.of(Removed)] == ["u-p-001"]


async def test_the_next_page_is_asked_for_before_the_last_one_is_read(monkeypatch):
    """The server makes a page while the one before it becomes objects."""
    asked, asked_when_read = [], []

    class Pages:
        server, contact = "https://pages", Contact()

        async def request(self, request: KubeRequest):
            asked.append(request.query.get("continue"))
            items = [{"metadata": {"name": f"p-{len(asked)}"}}]
            more = {"continue": str(len(asked))} if len(asked) < 3 else {}
            return {"metadata": {"resourceVersion": "1", **more}, "items": items}

    read = Reflector._read
    monkeypatch.setattr(
        Reflector, "_read", lambda self, *words: (asked_when_read.append(len(asked)), read(self, *words))[1]
    )
    seen = Seen()
    await Reflector(Pages(), Kind.POD, Scope("emqx"), seen, Pace(), random.Random(0))._list()
    assert asked == [None, "1", "2"]
    assert asked_when_read == [2, 3, 3]
    assert seen.names() == ["p-1", "p-2", "p-3"]


async def test_new_windows_go_on_where_the_last_one_ended(api, watching, until):
    api.put("a")
    seen = watching()
    await until(lambda: len(api.watches) == 1)
    api.bookmark()
    marked = api.version
    await until(lambda: len(api.watches) == 2)
    assert api.watches[1]["resourceVersion"] == str(marked)
    assert api.watches[0]["allowWatchBookmarks"] == "true"
    assert len(api.lists) == 1
    # The first window, its bookmark, the second window.
    await until(lambda: len(seen.of(Alive)) >= 3)
    assert not seen.of(Lost)


@pytest.mark.parametrize("way", ["event", "status"])
async def test_an_expired_version_is_answered_by_a_new_list(api, watching, until, status_answer, way):
    api.put("stays")
    api.put("goes")
    expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (2)"}
    if way == "event":
        api.first_events = [json.dumps({"type": "ERROR", "object": expired}).encode()]
    else:
        api.watch_answers = [status_answer(410, "Expired", "too old resource version")]
    api.after_list = lambda: api.objects.pop("goes")
    seen = watching()
    await until(lambda: len(seen.of(Listed)) == 2)
    assert seen.names() == ["stays"]
    assert [(gone.key, gone.uid) for gone in seen.of(Removed)] == [(("emqx", "goes"), "u-goes")]
    assert not seen.of(Lost), "an expired version is ordinary"


async def test_a_reset_is_told_and_nothing_is_missed(api, watching, until):
    api.put("a")
    seen = watching()
    await until(lambda: api.watches)
    api.reset()
    api.put("b")
    await until(lambda: seen.names() == ["a", "b"])
    assert isinstance(seen.of(Lost)[0].error, Unreachable)
    assert not seen.of(Lost)[0].is_final
    assert len(api.lists) == 1, "the version is still good: no new list"


async def test_survives_a_restart_of_the_server_and_finds_deletions(api, watching, until, status_answer):
    api.put("a")
    api.put("b")
    seen = watching()
    await until(lambda: api.watches)
    await api.stop()
    await until(lambda: seen.of(Lost))
    del api.objects["b"]
    api.history.clear()
    api.watch_answers = [status_answer(410, "Expired", "too old")]
    await api.start()
    await until(lambda: seen.names() == ["a"])
    assert [(gone.key, gone.uid) for gone in seen.of(Removed)] == [(("emqx", "b"), "u-b")]


async def test_one_request_that_succeeds_wakes_every_watch_and_each_lists_anew(api, client_of, until):
    """A watch that pauses for long between two tries must not be the last to hear that the server is back."""
    api.put("a")
    seen = [Seen(), Seen(), Seen()]
    kube = client_of(api, pace=Pace(window_s=20.0, backoff_s=(0.02, 3600.0)))
    tasks = [asyncio.create_task(kube.watch(Kind.POD, Scope("emqx"), each)) for each in seen]
    await until(lambda: len(api.watches) == 3)
    await api.stop()
    # The pauses double: by now they are longer than this test.
    await until(lambda: all(len(each.of(Lost)) >= 8 for each in seen))
    api.put("b")
    await api.start()
    assert all(each.names() == ["a"] for each in seen)
    await kube.request(KubeRequest("GET", "/api/v1/pods", query={"limit": "1"}))
    await until(lambda: all(each.names() == ["a", "b"] for each in seen), within_s=2.0)
    assert all(len(each.of(Listed)) == 2 for each in seen), "what changed meanwhile is listed, not guessed"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_window_that_goes_on_confirms_nothing_before_what_was_missed(api, watching, until):
    api.put("a")
    seen = watching()
    await until(lambda: api.watches)
    api.reset()
    api.put("b")
    await until(lambda: seen.names() == ["a", "b"])
    after_loss = seen.inputs[seen.inputs.index(seen.of(Lost)[0]) + 1]
    assert isinstance(after_loss, Changed)


async def test_a_silent_half_open_link_is_noticed_after_the_window(api, watching, until):
    api.put("a")
    api.is_mute = True
    seen = watching()
    lost = await until(lambda: seen.of(Lost))
    assert isinstance(lost[0].error, Unreachable)
    api.is_mute = False
    api.put("b")
    await until(lambda: seen.names() == ["a", "b"])


async def test_a_missing_right_is_told_in_the_servers_words_and_retried_rarely(api, watching, until, status_answer):
    words = 'pods is forbidden: User "u" cannot list resource "pods" in API group "" in the namespace "emqx"'
    api.list_answers = [status_answer(403, "Forbidden", words)]
    api.put("a")
    seen = watching()
    lost = (await until(lambda: seen.of(Lost)))[0]
    assert lost.is_final
    assert isinstance(lost.error, Forbidden)
    assert lost.error.message == words
    await until(lambda: seen.names() == ["a"])


async def test_a_kind_that_the_server_does_not_know(api, client_of, until):
    seen = Seen()
    kube = client_of(api)
    task = asyncio.create_task(kube.watch(Kind.EMQX_ENTERPRISE, Scope("emqx"), seen))
    lost = (await until(lambda: seen.of(Lost)))[0]
    task.cancel()
    assert isinstance(lost.error, NotFound)
    assert lost.error.message.endswith("does not serve emqxenterprises.apps.emqx.io; is the EMQX operator installed?")


async def test_an_unreadable_object_is_named_and_the_others_stay(api, watching, until):
    api.put("good")
    api.objects["bad"] = {"metadata": {"namespace": "emqx", "name": "bad"}, "status": {"phase": 7}}
    seen = watching()
    listed = (await until(lambda: seen.of(Listed)))[0]
    assert [name for _, name in listed.objects] == ["good"]
    assert listed.unreadable == {("emqx", "bad"): Unreadable("status.phase", "expected a string, found a number")}

    await until(lambda: api.watches)
    api.put("bad")
    await until(lambda: seen.names() == ["bad", "good"])
    assert seen.of(Listed)[-1].unreadable == {}
    api.put("good", phase=7)
    await until(lambda: seen.names() == ["bad"])
    assert list(seen.of(Listed)[-1].unreadable) == [("emqx", "good")]
    api.put("good", "DELETED")
    await until(lambda: seen.of(Listed)[-1].unreadable == {})


async def test_garbage_in_the_stream_is_told_and_listed_away(api, watching, until):
    api.put("a")
    api.first_events = [b"<html>\x1b[31mproxy error</html>"]
    seen = watching()
    lost = (await until(lambda: seen.of(Lost)))[0]
    assert isinstance(lost.error, MalformedAnswer)
    assert "\x1b" not in lost.error.message
    await until(lambda: len(api.lists) == 2)


async def test_a_server_that_ends_windows_at_once_is_not_asked_in_a_loop(api, watching, until):
    api.put("a")
    api.watch_answers = [web.Response(text="") for _ in range(3)]
    watching()
    began = asyncio.get_running_loop().time()
    await until(lambda: len(api.watches) == 4)
    assert asyncio.get_running_loop().time() - began >= 1.5


async def test_a_cancelled_watch_ends_at_once(api, client_of, until):
    api.put("a")
    task = asyncio.create_task(client_of(api).watch(Kind.POD, Scope("emqx"), Seen()))
    await until(lambda: api.watches)
    began = asyncio.get_running_loop().time()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert asyncio.get_running_loop().time() - began < 0.5


async def test_selectors_and_all_namespaces_reach_the_server(api, client_of, until):
    task = asyncio.create_task(client_of(api).watch(Kind.POD, Scope(None, "app in (a,b)", "spec.x=y"), Seen()))
    await until(lambda: api.watches)
    task.cancel()
    assert api.requests[0].path == "/api/v1/pods"
    for query in (api.lists[0], api.watches[0]):
        assert query["labelSelector"] == "app in (a,b)"
        assert query["fieldSelector"] == "spec.x=y"
