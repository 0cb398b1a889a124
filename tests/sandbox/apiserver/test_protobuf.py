"""Decoding of what kubectl writes in protobuf."""

from __future__ import annotations

import pytest

from emqx_tui.sandbox.apiserver.protobuf import NotDecodable, decode


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def part(number: int, content: bytes | str) -> bytes:
    """A length-delimited field."""
    raw = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def body(api_version: str, kind: str, raw: bytes) -> bytes:
    types = part(1, api_version) + part(2, kind)
    return b"k8s\x00" + part(1, types) + part(2, raw) + part(3, "") + part(4, "")


def test_an_access_review() -> None:
    attributes = (
        part(1, "default") + part(2, "patch") + part(3, "apps.emqx.io") + part(4, "*") + part(5, "emqxenterprises")
    )
    raw = part(1, part(1, "")) + part(2, part(1, attributes)) + part(3, varint(1 << 3) + b"\x00")
    assert decode(body("authorization.k8s.io/v1", "SelfSubjectAccessReview", raw)) == {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {},
        "spec": {
            "resourceAttributes": {
                "namespace": "default",
                "verb": "patch",
                "group": "apps.emqx.io",
                "version": "*",
                "resource": "emqxenterprises",
            }
        },
    }


def test_maps_flags_and_long_values() -> None:
    long = "x" * 300
    raw = part(1, part(1, "s") + part(11, part(1, "app") + part(2, "emqx")))
    raw += part(2, part(1, "key") + part(2, b"\x00\xff")) + part(3, long) + varint(5 << 3) + b"\x01"
    decoded = decode(body("v1", "Secret", raw))
    assert decoded["metadata"] == {"name": "s", "labels": {"app": "emqx"}}
    assert decoded["data"] == {"key": "AP8="}
    assert (decoded["type"], decoded["immutable"]) == (long, True)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"{}",
        body("v1", "Pod", b""),
        body("v1", "ConfigMap", part(1, part(1, "name")))[:-9],
        b"k8s\x00" + part(1, b"\x0a\xff"),
        b"k8s\x00\x0b",
    ],
)
def test_what_cannot_be_read_is_refused(garbage: bytes) -> None:
    with pytest.raises(NotDecodable):
        decode(garbage)
