"""Decoding of request bodies: JSON, YAML (server-side apply) and protobuf (some kubectl commands).

As in Kubernetes, YAML timestamps stay strings.
"""

from __future__ import annotations

import json
from typing import Any

import yaml
from aiohttp import web

from emqx_tui.sandbox.apiserver import protobuf
from emqx_tui.sandbox.kube.api_error import ApiError, bad_request

_JSON_TYPES = ("application/json", "application/octet-stream", "")
_YAML_TYPES = ("application/yaml", "application/apply-patch+yaml")
_PATCH_SUFFIX = "-patch+json"


class _Loader(yaml.SafeLoader):
    """Types of JSON only."""


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_str)


async def read_body(request: web.Request) -> Any:
    """The decoded body, None when there is none; ApiError 400 or 415."""
    raw = await request.read()
    if not raw:
        return None
    content_type = request.content_type
    if content_type == protobuf.CONTENT_TYPE:
        return _protobuf(raw)
    if content_type not in (*_JSON_TYPES, *_YAML_TYPES) and not content_type.endswith(_PATCH_SUFFIX):
        raise _unsupported("accepted media types include: application/json, application/yaml")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as malformed:
        if content_type not in _YAML_TYPES:
            raise bad_request(f"unable to decode the body: {malformed}") from malformed
    return _yaml(raw)


def _unsupported(why: str) -> ApiError:
    return ApiError(415, "UnsupportedMediaType", f"the body of the request was in an unknown format - {why}")


def _protobuf(raw: bytes) -> Any:
    try:
        return protobuf.decode(raw)
    except protobuf.NotDecodable as refused:
        raise _unsupported(str(refused)) from refused


def _yaml(raw: bytes) -> Any:
    try:
        # Through JSON once: keys become texts, as for Kubernetes (`yes` is "true").
        return json.loads(json.dumps(yaml.load(raw, Loader=_Loader)))
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as malformed:
        raise bad_request(f"error converting YAML to JSON: {malformed}") from malformed
