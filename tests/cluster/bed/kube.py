"""A small client of the API server for the stand-ins: JSON in, JSON out, and watches.

Owns one HTTP session. It knows nothing of the product's own client, which the bed is there to try.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any

import aiohttp

Object = dict[str, Any]
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

PATHS = {
    "nodes": "/api/v1",
    "namespaces": "/api/v1",
    "pods": "/api/v1",
    "services": "/api/v1",
    "secrets": "/api/v1",
    "endpoints": "/api/v1",
    "events": "/api/v1",
    "configmaps": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "statefulsets": "/apis/apps/v1",
    "deployments": "/apis/apps/v1",
    "customresourcedefinitions": "/apis/apiextensions.k8s.io/v1",
    "mutatingwebhookconfigurations": "/apis/admissionregistration.k8s.io/v1",
    "validatingwebhookconfigurations": "/apis/admissionregistration.k8s.io/v1",
    "emqxenterprises": "/apis/apps.emqx.io/v1beta4",
    "emqxplugins": "/apis/apps.emqx.io/v1beta4",
}


class Refused(Exception):
    """The API server said no."""

    def __init__(self, code: int, body: Object) -> None:
        super().__init__(f"{code} {body.get('reason')}: {body.get('message')}")
        self.code = code


def path_of(plural: str, namespace: str | None = None, name: str | None = None, sub: str | None = None) -> str:
    inner = f"/namespaces/{namespace}" if namespace else ""
    return PATHS[plural] + inner + f"/{plural}" + (f"/{name}" if name else "") + (f"/{sub}" if sub else "")


class Kube:
    """`async with Kube(server, token, ca_file) as kube:`"""

    def __init__(self, server: str, token: str, ca_file: str) -> None:
        self.server = server
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": "kubelet"}
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Kube:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        self._session = aiohttp.ClientSession(self.server, connector=connector, headers=self._headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def text(self, path: str) -> str:
        assert self._session is not None
        async with self._session.get(path) as answer:
            words = await answer.text()
            if answer.status >= 400:
                raise Refused(answer.status, {"message": words})
            return words

    async def call(
        self, method: str, path: str, body: object = None, *, kind: str = "application/json", **query: str
    ) -> Object:
        """The answer; raises Refused."""
        assert self._session is not None
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method, path, data=data, params=query, headers={"Content-Type": kind}
        ) as answer:
            found = await answer.json(content_type=None)
            if answer.status >= 400:
                raise Refused(answer.status, found)
            return found

    async def apply(self, path: str, body: Object) -> Object:
        return await self.call("PATCH", path, body, kind=APPLY, fieldManager="bed", force="true")

    async def patch(self, path: str, body: object, kind: str = STRATEGIC) -> Object:
        return await self.call("PATCH", path, body, kind=kind)

    async def changes(self, plural: str) -> AsyncIterator[tuple[str, Object]]:
        """LISTED with the whole list first, then what a watch tells, and LISTED again whenever it broke."""
        while True:
            try:
                listed = await self.call("GET", path_of(plural))
                yield "LISTED", listed
                async for event, obj in self._watch(plural, listed["metadata"]["resourceVersion"]):
                    yield event, obj
            except (aiohttp.ClientError, Refused, TimeoutError):
                await asyncio.sleep(0.5)

    async def _watch(self, plural: str, version: str) -> AsyncIterator[tuple[str, Object]]:
        assert self._session is not None
        query: Mapping[str, str] = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "false"}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=None)
        async with self._session.get(path_of(plural), params=query, timeout=timeout) as answer:
            if answer.status >= 400:
                # A new kind's storage is still being set up: 429.
                raise Refused(answer.status, await answer.json(content_type=None))
            buffer = b""
            async for chunk in answer.content.iter_any():
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        return
                    yield event["type"], event["object"]
