"""The requests behind commands, as values: an adapter sends them, a person reads them as a command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emqx_tui.model.api_version import V4

FIELD_MANAGER = "emqx-tui"

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
JSON = "application/json"


@dataclass(frozen=True)
class KubeRequest:
    """One request to the Kubernetes API."""

    method: str
    path: str
    body: Any = field(default=None, repr=False)
    content_type: str = JSON
    query: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 20.0

    def as_dry_run(self) -> KubeRequest:
        """The same request, which the server checks and does not carry out."""
        return KubeRequest(
            self.method, self.path, self.body, self.content_type, {**self.query, "dryRun": "All"}, self.timeout_s
        )


@dataclass(frozen=True)
class EmqxRequest:
    """One request to the management API v4 of the EMQX node in a pod. `path` holds node names with a raw `@`."""

    namespace: str
    pod: str
    method: str
    path: str
    body: Any = None
    timeout_s: float = 5.0


@dataclass(frozen=True)
class EmqxReply:
    """What a node answered: the parsed body, or None where it was not JSON."""

    status: int
    body: Any
    text: str = ""


def curl(request: EmqxRequest) -> str:
    """The request as a curl command line; credentials stay a placeholder."""
    words = ["curl", "-u", "$EMQX_API_KEY", "-X", request.method, f"http://{request.pod}:{V4.api_port}{request.path}"]
    if request.body is not None:
        words += ["-d", json.dumps(request.body, separators=(",", ":"))]
    return " ".join(shlex.quote(word) if "$" not in word else f'"{word}"' for word in words)
