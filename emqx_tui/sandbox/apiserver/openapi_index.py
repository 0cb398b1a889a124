"""`/openapi/v3`: the index and its documents, each under a hash of its content.

Clients keep documents by that hash across runs and across sandboxes, so it must change with the content and with
nothing else. Documents are made once: types do not change while a sandbox runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from emqx_tui.sandbox.apiserver import discovery, openapi
from emqx_tui.sandbox.kube.resources import Resource


class OpenApiIndex:
    """Documents by path below `/openapi/v3/`: `api/v1`, `apis/apps/v1`."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._documents = {
            (f"apis/{name}" if "/" in name else f"api/{name}"): openapi.document(grouped)
            for name, grouped in discovery.group_versions(resources).items()
        }

    def index(self) -> dict[str, Any]:
        urls = {path: f"/openapi/v3/{path}?hash={_hash(each)}" for path, each in self._documents.items()}
        return {"paths": {path: {"serverRelativeURL": url} for path, url in urls.items()}}

    def document(self, path: str) -> dict[str, Any] | None:
        return self._documents.get(path)


def _hash(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:32].upper()
