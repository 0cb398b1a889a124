"""The documents below `/openapi`, built on first request.

Clients cache v3 documents by hash, across runs and sandboxes: the hash depends on the content only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from emqx_tui.sandbox.apiserver import discovery, openapi
from emqx_tui.sandbox.apiserver.openapi_v2 import PROTOBUF, document_v2, encode
from emqx_tui.sandbox.kube.resources import Resource

Document = dict[str, Any]


class OpenApiIndex:
    """v3 documents by path below `/openapi/v3/` (`api/v1`, `apis/apps/v1`), and the one v2 document."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._resources = list(resources)

    def index(self) -> Document:
        urls = {path: f"/openapi/v3/{path}?hash={_hash(each)}" for path, each in self._documents.items()}
        return {"paths": {path: {"serverRelativeURL": url} for path, url in urls.items()}}

    def document(self, path: str) -> Document | None:
        return self._documents.get(path)

    def v2(self, accept: str) -> tuple[bytes, str]:
        """The body and its media type."""
        if PROTOBUF in accept:
            return self._encoded_v2, f"{PROTOBUF}.v1.0+protobuf"
        return json.dumps(self._v2).encode(), "application/json"

    @cached_property
    def _documents(self) -> dict[str, Document]:
        return {
            (f"apis/{name}" if "/" in name else f"api/{name}"): openapi.document(grouped)
            for name, grouped in discovery.group_versions(self._resources).items()
        }

    @cached_property
    def _v2(self) -> Document:
        return document_v2(self._documents.values())

    @cached_property
    def _encoded_v2(self) -> bytes:
        return encode(self._v2)


def _hash(document: Document) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:32].upper()
