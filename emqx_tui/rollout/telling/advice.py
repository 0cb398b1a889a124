"""PURE: what a person may do about an alarm, as values: a front end words it as a key, another one as a command."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    """What to do. The first four are intents of this console."""

    RESUME = "resume"
    FREEZE = "freeze"
    ABORT = "abort"
    HOLD = "hold"
    INSPECT_POD = "inspect pod"
    """Look at the events and containers of `target`."""
    FIX = "fix"
    """Something outside this console: `reason` says what."""


@dataclass(frozen=True)
class Advice:
    """One thing to do, and what it does or when to do it."""

    verb: Verb
    reason: str = ""
    """What it does, or under which condition, without naming a key or a command."""
    target: str = ""
    """The pod to look at."""
