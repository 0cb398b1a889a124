"""PURE: what a command such as `approve` is asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from emqx_tui.headless.lines.events import SCHEMA, spell
from emqx_tui.model.workloads import OwnDelay
from emqx_tui.rollout.gate_id import GateId


class Verb(StrEnum):
    APPROVE = "approve"
    HOLD = "hold"
    FREEZE = "freeze"
    RESUME = "resume"
    ABORT = "abort"
    ADOPT = "adopt"


class Code:
    """Exit codes of these commands."""

    DONE = 0
    REFUSED = 1
    NOTHING_WAITS = 3
    HELD = 4
    LOST_CONTACT = 6


@dataclass(frozen=True)
class VerbOptions:
    """What was asked for."""

    verb: Verb
    gate: GateId | None = None
    """Approve this gate and no other; None = the one that waits. `cut-over` is the late one too."""
    count: int = 1
    token: str = ""
    """Has to be the gate's; empty = not asked."""
    reason: str = ""
    delay: OwnDelay | None = None
    """The user's own, for a release without a journal; None = as far as it is known."""
    template: Mapping[str, Any] | None = field(default=None, repr=False)
    """`spec.template` before such a release; None = as far as it is known."""


@dataclass(frozen=True)
class Answer:
    """What came of it."""

    code: int
    message: str
    at: datetime
    release_id: str | None = None
    gate: GateId | None = None
    driver: str | None = None
    """Who acts on it: identity of the driver; None = nobody drives."""
    said: str = ""
    """The beginning of the message, where people were told it before."""

    @property
    def sentence(self) -> str:
        """For people."""
        news = self.message.removeprefix(self.said).removeprefix("; ") or self.message
        return f"{news} ({self.driver} drives)" if self.driver else news

    def to_json(self, verb: Verb) -> dict[str, Any]:
        """For programs."""
        return {
            "schema": SCHEMA,
            "at": spell(self.at),
            "release_id": self.release_id,
            "verb": str(verb),
            "gate": str(self.gate) if self.gate else None,
            "code": self.code,
            "message": self.message,
            "driver": self.driver,
        }
