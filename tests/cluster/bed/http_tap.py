"""What passes through a forwarded connection to EMQX's API, read along: nothing is held up or changed.

Owns the reading of HTTP/1.1 messages whose length is told. Whatever it cannot read it lets pass unnoted.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

Object = dict[str, Any]


class Tape:
    """Requests as EMQX got them: those that change something in full, all of them by number."""

    def __init__(self) -> None:
        self.log: deque[Object] = deque(maxlen=20_000)
        self.counts: dict[str, Counter[str]] = {}
        """by namespace: how often each method and path was asked through a port-forward"""

    def note(self, entry: Object) -> None:
        if entry["way"] == "forwarded":
            self.counts.setdefault(entry["namespace"], Counter())[shape_of(entry["method"], entry["path"])] += 1
        if entry["method"] != "GET":
            self.log.append(entry)


def shape_of(method: str, path: str) -> str:
    """The request with node names left out: `GET /api/v4/nodes/*/stats`."""
    parts = ["*" if "@" in part or "%40" in part else part for part in path.partition("?")[0].split("/")]
    return f"{method} {'/'.join(parts)}"


class _Messages:
    """Cuts a stream into messages, and tells of each its first line and its body."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._held = b""

    def feed(self, data: bytes) -> None:
        self._held += data
        while b"\r\n\r\n" in self._held:
            head, _, rest = self._held.partition(b"\r\n\r\n")
            first, *fields = head.decode("latin-1").split("\r\n")
            lengths = [each.partition(":")[2] for each in fields if each.lower().startswith("content-length:")]
            length = int(lengths[0]) if lengths else 0
            if len(rest) < length:
                return
            self._held = rest[length:]
            self._tell(first, rest[:length].decode(errors="replace"))


class Tap:
    """One connection of a console to a pod."""

    def __init__(self, tape: Tape, namespace: str, pod: str) -> None:
        self._tape = tape
        self._where = {"namespace": namespace, "pod": pod, "way": "forwarded"}
        self._waiting: deque[Object] = deque()
        self.sent = _Messages(self._on_request)
        self.received = _Messages(self._on_answer)

    def _on_request(self, first: str, body: str) -> None:
        method, path, *_ = [*first.split(" "), ""]
        entry = {"at": time.time(), **self._where, "method": method, "path": path, "body": body}
        self._waiting.append({**entry, "status": 0, "answer": ""})
        self._tape.note(self._waiting[-1])

    def _on_answer(self, first: str, body: str) -> None:
        if self._waiting and first.startswith("HTTP/"):
            self._waiting.popleft().update(status=int(first.split(" ")[1]), answer=body)
