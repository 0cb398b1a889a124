"""PURE: when a person has to be called: a gate waits, a release is held, nobody drives it, or it is over.

Each cause calls once, when it begins. A console that comes to a release that waits already calls for it, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from emqx_tui.headless.lines.events import SCHEMA, spell
from emqx_tui.model.wire import clean
from emqx_tui.rollout.redaction import redact_text
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import View


class Cause(StrEnum):
    """Why somebody is called."""

    GATE = "gate"
    HOLD = "hold"
    NO_DRIVER = "no-driver"
    END = "end"


@dataclass(frozen=True)
class Call:
    """One call for a person."""

    cause: Cause
    namespace: str
    name: str
    at: datetime
    """Cluster time."""
    text: str
    """One line, without anything that can be a secret."""
    what: str = ""
    """The gate, the check that holds, or the result."""
    context: str = ""

    def to_json(self) -> dict[str, Any]:
        """What a command reads from its standard input, and a webhook as its body."""
        return {
            "schema": SCHEMA,
            "at": spell(self.at),
            "context": self.context or None,
            "namespace": self.namespace,
            "name": self.name,
            "cause": str(self.cause),
            "what": self.what or None,
            "text": self.text,
        }


Standing = tuple[str, Cause, str]
"""(release, cause, which one): what was called for last. A gate that a check shuts for a moment calls once."""


class Calls:
    """Remembers, by cluster, what was called for."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], Standing] = {}

    def take(self, view: View) -> Call | None:
        """The call that this view gives rise to, None for none."""
        seen = view.snapshot
        key = (seen.namespace, seen.name)
        last = self._last.get(key)
        found = _cause(view)
        if found is None:
            if last is not None and last[1] is not Cause.GATE:
                del self._last[key]
            return None
        release = view.journal.release_id if view.journal else ""
        standing = (release, found.cause, found.which)
        if standing == last:
            return None
        self._last[key] = standing
        text = redact_text(clean(f"{seen.name}: {found.words}"))
        return Call(found.cause, seen.namespace, seen.name, view.now, text, found.what, view.context)


@dataclass(frozen=True)
class _Found:
    cause: Cause
    what: str
    which: str
    """Tells two of the same kind apart."""
    words: str


def _cause(view: View) -> _Found | None:
    """The hold comes before the gate that it keeps shut."""
    journal, gate = view.journal, view.decision.gate
    if view.result:
        return _Found(Cause.END, view.result, view.result, f"the release is over: {view.result}")
    if journal is None:
        return None
    if (hold := journal.hold) is not None:
        why = f": {hold.reason}" if hold.reason else ""
        return _Found(Cause.HOLD, hold.check or hold.by, hold.at.isoformat(), f"held by {hold.by}{why}")
    if view.is_undriven:
        return _Found(Cause.NO_DRIVER, "", "", "a release is under way and nobody drives it")
    if gate is not None and facts.waits_for_person(view):
        of = f" of {gate.target}" if gate.target else ""
        return _Found(Cause.GATE, str(gate.id), str(gate.id), f"waits for your approval: {gate.id}{of}")
    return None
