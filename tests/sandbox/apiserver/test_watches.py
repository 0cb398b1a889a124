"""Watches over HTTP: nothing lost, nothing twice, and an honest end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientConnectionResetError, web

from emqx_tui.sandbox.run.runner import Sandbox

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
DEADLINE_S = 10


class Stream:
    """The lines of one watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self) -> dict[str, Any]:
        line = await asyncio.wait_for(self._response.content.readline(), DEADLINE_S)
        return json.loads(line)

    async def rest(self) -> list[dict[str, Any]]:
        text = await asyncio.wait_for(self._response.text(), DEADLINE_S)
        return [json.loads(line) for line in text.splitlines()]


@asynccontextmanager
async def watching(
    kube: Any, path: str = MAPS, accept: str = "application/json", **query: str
) -> AsyncIterator[Stream]:
    response = await kube.open("GET", path, {"watch": "1", **query}, Accept=accept)
    assert response.status == 200
    try:
        yield Stream(response)
    finally:
        response.close()


async def create(kube: Any, name: str, **labels: str) -> str:
    body = {"metadata": {"name": name, "labels": labels}}
    return (await kube.request("POST", MAPS, body=body)).body["metadata"]["resourceVersion"]


async def test_list_and_watch_lose_nothing(kube: Any) -> None:
    """Writers go on during the list and between windows of the watch."""
    stopped = False

    async def write() -> None:
        for number in range(60):
            name = f"n{number % 7}"
            if (await kube.merge(f"{MAPS}/{name}", {"data": {"at": str(number)}})).status == 404:
                await create(kube, name)
            if number % 5 == 4:
                await kube.request("DELETE", f"{MAPS}/n{number % 3}")
        await create(kube, "last")

    writer = asyncio.create_task(write())
    listed = (await kube.request("GET", MAPS)).body
    seen = {item["metadata"]["name"]: item.get("data") for item in listed["items"]}
    version = listed["metadata"]["resourceVersion"]
    while not stopped:
        async with watching(kube, resourceVersion=version) as stream:
            for _ in range(5):
                event = await stream.next()
                name = event["object"]["metadata"]["name"]
                assert (name in seen) == (event["type"] != "ADDED")
                if event["type"] == "DELETED":
                    del seen[name]
                else:
                    seen[name] = event["object"].get("data")
                assert int(event["object"]["metadata"]["resourceVersion"]) > int(version)
                version = event["object"]["metadata"]["resourceVersion"]
                stopped = name == "last"
                if stopped:
                    break
    await writer
    final = (await kube.request("GET", MAPS)).body["items"]
    assert seen == {item["metadata"]["name"]: item.get("data") for item in final}


async def test_without_a_version_a_watch_begins_with_what_there_is(kube: Any) -> None:
    await create(kube, "a")
    async with watching(kube) as stream:
        assert (await stream.next())["type"] == "ADDED"
        await create(kube, "b")
        event = await stream.next()
        assert (event["type"], event["object"]["metadata"]["name"], event["object"]["kind"]) == (
            "ADDED",
            "b",
            "ConfigMap",
        )


async def test_objects_come_into_and_go_out_of_a_selection(kube: Any) -> None:
    version = await create(kube, "a", app="emqx")
    async with watching(kube, resourceVersion=version, labelSelector="app=emqx") as stream:
        await kube.merge(f"{MAPS}/a", {"data": {"x": "1"}})
        await create(kube, "other")
        gone = await kube.merge(f"{MAPS}/a", {"metadata": {"labels": {"app": "no"}}})
        await kube.merge(f"{MAPS}/a", {"metadata": {"labels": {"app": "emqx"}}})
        await kube.request("DELETE", f"{MAPS}/a")
        events = [await stream.next() for _ in range(4)]
    assert [event["type"] for event in events] == ["MODIFIED", "DELETED", "ADDED", "DELETED"]
    left = events[1]["object"]["metadata"]
    assert left["labels"] == {"app": "emqx"}
    assert left["resourceVersion"] == gone.body["metadata"]["resourceVersion"]


async def test_a_watch_of_one_object_by_field_selector(kube: Any) -> None:
    version = await create(kube, "a")
    async with watching(kube, resourceVersion=version, fieldSelector="metadata.name=b") as stream:
        await kube.merge(f"{MAPS}/a", {"data": {"x": "1"}})
        await create(kube, "b")
        assert (await stream.next())["object"]["metadata"]["name"] == "b"


async def test_the_time_limit_ends_a_watch_with_a_bookmark(kube: Any) -> None:
    version = await create(kube, "a")
    await kube.request("POST", "/api/v1/namespaces/default/secrets", body={"metadata": {"name": "s"}})
    query = {"resourceVersion": version, "timeoutSeconds": "1", "allowWatchBookmarks": "true"}
    async with watching(kube, **query) as stream:
        (bookmark,) = await stream.rest()
    assert (bookmark["type"], bookmark["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
    assert int(bookmark["object"]["metadata"]["resourceVersion"]) > int(version)


async def test_bookmarks_come_while_nothing_happens(sandbox: Sandbox, kube: Any) -> None:
    sandbox.watches.bookmark_every_s = 0.01
    async with watching(kube, allowWatchBookmarks="true", resourceVersion=await create(kube, "a")) as stream:
        assert [(await stream.next())["type"] for _ in range(3)] == ["BOOKMARK"] * 3


@pytest.mark.parametrize("gone", ["event", "status"])
async def test_a_forgotten_version_is_gone(sandbox: Sandbox, kube: Any, gone: Any) -> None:
    version = await create(kube, "a")
    await create(kube, "b")
    sandbox.world.store.trim(sandbox.world.store.version)
    sandbox.watches.gone = gone
    response = await kube.open("GET", MAPS, {"watch": "1", "resourceVersion": version})
    body = json.loads(await response.text())
    if gone == "event":
        assert (response.status, body["type"]) == (200, "ERROR")
        body = body["object"]
    else:
        assert response.status == 410
    assert (body["kind"], body["code"], body["reason"]) == ("Status", 410, "Expired")


async def test_a_version_from_the_future_is_refused(kube: Any) -> None:
    answer = await kube.request("GET", MAPS, {"watch": "1", "resourceVersion": "99999999"})
    assert (answer.status, answer.body["reason"]) == (504, "Timeout")


async def test_a_streamed_list_ends_with_its_bookmark(kube: Any) -> None:
    await create(kube, "a")
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with watching(kube, **query) as stream:
        assert (await stream.next())["type"] == "ADDED"
        bookmark = await stream.next()
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watched_table_has_its_header_once(kube: Any) -> None:
    await create(kube, "a")
    async with watching(kube, accept=TABLE) as stream:
        await create(kube, "b")
        first, second = (await stream.next())["object"], (await stream.next())["object"]
    assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert second["columnDefinitions"] == []
    assert second["rows"][0]["cells"][0] == "b"
    assert second["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


async def test_a_client_that_leaves_in_the_middle_of_a_line_is_no_failure(kube: Any, monkeypatch, caplog) -> None:
    async with watching(kube) as stream:
        await create(kube, "seen")
        assert (await stream.next())["object"]["metadata"]["name"] == "seen"
        is_tried = asyncio.Event()

        async def refuse(_response: web.StreamResponse, _data: bytes) -> None:
            is_tried.set()
            raise ClientConnectionResetError("Cannot write to closing transport")

        monkeypatch.setattr(web.StreamResponse, "write", refuse)
        await create(kube, "unseen")
        await asyncio.wait_for(is_tried.wait(), DEADLINE_S)
        monkeypatch.undo()
        await stream.rest()
    assert [record.getMessage() for record in caplog.records if record.name.startswith("aiohttp")] == []


PODS = "/api/v1/namespaces/default/pods"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (MAPS, {"watch": "1"}),
        (MAPS, {"watch": "1", "resourceVersion": "1"}),
        (f"{PODS}/POD/log", {"container": "emqx", "follow": "true"}),
        (f"{PODS}/POD/portforward", {"ports": "8081"}),
    ],
    ids=["watch", "watch of a forgotten version", "log", "port-forward"],
)
async def test_a_client_that_leaves_before_it_is_answered_is_no_failure(
    running: Sandbox, running_kube: Any, path: str, query: dict[str, str], monkeypatch, caplog
) -> None:
    pods = (await running_kube.request("GET", PODS)).body["items"]
    running.watches.gone = "event"
    running.world.store.trim(running.world.store.version)
    is_tried = asyncio.Event()

    async def refuse(_response: web.StreamResponse, _request: web.Request) -> None:
        is_tried.set()
        raise ClientConnectionResetError("Cannot write to closing transport")

    monkeypatch.setattr(web.StreamResponse, "prepare", refuse)
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Protocol": "v4.channel.k8s.io"}
    upgrade |= {"Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    with pytest.raises(aiohttp.ClientError):
        await running_kube.open("GET", path.replace("POD", pods[0]["metadata"]["name"]), query, **upgrade)
    await asyncio.wait_for(is_tried.wait(), DEADLINE_S)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("aiohttp")] == []
