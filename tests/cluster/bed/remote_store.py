"""The simulation's store interface over a real API server, for the simulated operator.

Owns one blocking connection. Everything is read as it is stored now, and what the API server refuses is raised as the
simulation's own error, so that the operator's code cannot tell the difference.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.resources import standard_resources

Object = dict[str, Any]


class RemoteStore:
    """`find`, `get`, `list`, `create`, `update` as `Store` has them."""

    def __init__(self, port: int, token: str, ca_file: str) -> None:
        self.resources = {each.plural: each for each in standard_resources()}
        self._port = port
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": "manager/simulated"}
        self._connection: http.client.HTTPSConnection | None = None

    def find(self, plural: str, namespace: str, name: str) -> Object | None:
        try:
            return self.get(plural, namespace, name)
        except ApiError as refused:
            if refused.code == 404:
                return None
            raise

    def get(self, plural: str, namespace: str, name: str) -> Object:
        return self._call("GET", self._path(plural, namespace, name))

    def list(self, plural: str, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> list[Object]:
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())} if labels else {}
        listed = self._call("GET", self._path(plural, namespace), None, **query)
        kind = {"apiVersion": listed["apiVersion"], "kind": self.resources[plural].kind}
        return [{**kind, **each} for each in listed["items"]]

    def create(self, plural: str, obj: Object, *, manager: str = "") -> Object:
        path = self._path(plural, obj["metadata"]["namespace"])
        return self._call("POST", path, self._typed(plural, obj), fieldManager=manager)

    def update(self, plural: str, obj: Object, *, manager: str = "", subresource: str | None = None) -> Object:
        metadata = obj["metadata"]
        path = self._path(plural, metadata["namespace"], metadata["name"], subresource)
        return self._call("PUT", path, self._typed(plural, obj), fieldManager=manager)

    def _path(self, plural: str, namespace: str | None, name: str | None = None, sub: str | None = None) -> str:
        resource = self.resources[plural]
        root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
        inner = f"/namespaces/{namespace}" if namespace else ""
        return root + inner + f"/{plural}" + "".join(f"/{part}" for part in (name, sub) if part)

    def _typed(self, plural: str, obj: Object) -> Object:
        resource = self.resources[plural]
        group = f"{resource.group}/{resource.version}" if resource.group else resource.version
        return {**obj, "apiVersion": group, "kind": resource.kind}

    def _call(self, method: str, path: str, body: Object | None = None, **query: str) -> Object:
        target = path + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body)
        headers = {**self._headers, "Content-Type": "application/json"}
        try:
            status, found = self._sent(method, target, data, headers)
        except (http.client.HTTPException, OSError):
            # A connection that idled too long; once more on a new one.
            self._close()
            try:
                status, found = self._sent(method, target, data, headers)
            except (http.client.HTTPException, OSError) as broken:
                self._close()
                raise ApiError(500, "InternalError", str(broken)) from broken
        if status >= 400:
            raise ApiError(status, found.get("reason", ""), found.get("message", ""), found.get("details"))
        return found

    def _sent(self, method: str, target: str, data: str | None, headers: Mapping[str, str]) -> tuple[int, Object]:
        connection = self._connected()
        connection.request(method, target, data, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connected(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection("127.0.0.1", self._port, context=self._tls, timeout=20)
        return self._connection
