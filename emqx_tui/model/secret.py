"""Secrets: the journal, and the credentials of EMQX's API."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emqx_tui.model.kube_object import KubeObject, Meta
from emqx_tui.model.wire import Fields, Malformed


@dataclass(frozen=True)
class Secret(KubeObject):
    """A Secret that this console reads: the journal, or the credentials of the management API."""

    texts: Mapping[str, str] = field(repr=False, compare=False)
    """Decoded values that are UTF-8."""

    @classmethod
    def from_json(cls, value: Any) -> Secret:
        """Read a `v1` Secret. Raises Malformed."""
        fields = Fields(value)
        data = fields.child("data")
        return cls(Meta.from_fields(fields), {name: _decoded(data, name) for name in data.names()})


def _decoded(fields: Fields, name: str) -> str:
    try:
        return base64.b64decode(str(fields.raw(name, "")), validate=True).decode()
    except ValueError as error:
        raise Malformed(f"{fields.path}.{name}", "expected base64 of UTF-8 text") from error
