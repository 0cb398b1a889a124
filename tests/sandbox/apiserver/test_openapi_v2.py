"""The OpenAPI v2 document, in the forms and for the questions of kubectl before 1.27."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emqx_tui.sandbox.apiserver.openapi_index import OpenApiIndex
from emqx_tui.sandbox.kube.resources import standard_resources

_ACCEPT = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


@pytest.fixture(scope="module")
def openapi() -> OpenApiIndex:
    return OpenApiIndex(standard_resources())


def _varint(data: bytes) -> tuple[int, bytes]:
    value = data[0] & 0x7F
    if data[0] < 0x80:
        return value, data[1:]
    more, rest = _varint(data[1:])
    return value | more << 7, rest


def _parts(message: bytes, *numbers: int) -> list[bytes]:
    """The contents of a field, or of fields in fields; all fields are length-delimited."""
    number, *inner = numbers
    found: list[bytes] = []
    while message:
        tag, message = _varint(message)
        length, message = _varint(message)
        assert tag & 7 == 2
        if tag >> 3 == number:
            found += _parts(message[:length], *inner) if inner else [message[:length]]
        message = message[length:]
    return found


def _named(messages: list[bytes]) -> dict[str, bytes]:
    return {_parts(each, 1)[0].decode(): _parts(each, 2)[0] for each in messages}


def _extensions(message: bytes, number: int) -> dict[str, Any]:
    return {name: json.loads(_parts(each, 2)[0]) for name, each in _named(_parts(message, number)).items()}


def test_the_json_form_has_no_words_of_version_3(openapi: OpenApiIndex) -> None:
    body, media_type = openapi.v2("application/json")
    assert media_type == "application/json"
    document = json.loads(body)
    text = json.dumps(document["definitions"])
    assert not [word for word in ('"allOf"', '"oneOf"', '"anyOf"', "#/components/") if word in text]
    pod = document["definitions"]["io.k8s.api.core.v1.Pod"]
    assert pod["properties"]["spec"]["$ref"] == "#/definitions/io.k8s.api.core.v1.PodSpec"
    assert pod["properties"]["spec"]["description"]


def test_the_protobuf_form_holds_the_types(openapi: OpenApiIndex) -> None:
    body, media_type = openapi.v2(_ACCEPT)
    assert media_type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    assert _parts(body, 1) == [b"2.0"]
    definitions = _named(_parts(body, 9, 1))
    assert definitions.keys() == json.loads(openapi.v2("")[0])["definitions"].keys()
    schema = definitions["io.emqx.apps.v1beta4.EmqxEnterprise"]
    tags = _extensions(schema, 31)["x-kubernetes-group-version-kind"]
    assert tags == [{"group": "apps.emqx.io", "kind": "EmqxEnterprise", "version": "v1beta4"}]
    for step in ("spec", "blueGreenUpdate", "evacuationStrategy", "connEvictRate"):
        schema = _named(_parts(schema, 25, 1))[step]
    assert (_parts(schema, 22, 1), _parts(schema, 2)) == ([b"integer"], [b"int32"])
    containers = _named(_parts(definitions["io.k8s.api.core.v1.PodSpec"], 25, 1))["containers"]
    assert _parts(containers, 23, 1, 1) == [b"#/definitions/io.k8s.api.core.v1.Container"]
    assert _parts(definitions["io.k8s.api.core.v1.PodSpec"], 19) == [b"containers"]


def test_every_kind_tells_that_the_server_runs_dry(openapi: OpenApiIndex) -> None:
    patches = [patch for path in _named(_parts(openapi.v2(_ACCEPT)[0], 8, 2)).values() for patch in _parts(path, 8)]
    kinds = {_extensions(each, 13)["x-kubernetes-group-version-kind"]["kind"] for each in patches}
    assert kinds == {each.kind for each in standard_resources() if not each.virtual}
    for patch in patches:
        assert b"dryRun" in _parts(patch, 8, 1, 2, 3, 4)
