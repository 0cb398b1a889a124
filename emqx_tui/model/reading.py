"""A value with its age: when it was last confirmed, and whether its source still answers.

Zero is not "unknown", and an old number is not a fresh one: every figure on a screen and in a check comes as a
Reading, so its age cannot get lost on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from emqx_tui.model.wire import Unreadable

T = TypeVar("T")


@dataclass(frozen=True)
class Reading(Generic[T]):
    """A value with the instant of its last confirmation; `value` is None until the first one."""

    value: T | None
    read_at: datetime | None
    """When the source last confirmed the value (cluster time)."""
    problem: str = ""
    """Why there is no value of now; empty while there is."""
    unreadable: Unreadable | None = None
    """The source answers, but not with what we take for such an object: `value` is its last readable state."""

    @property
    def is_told(self) -> bool:
        """The source has answered, or it is known why it does not."""
        return self.read_at is not None or self.problem != MISSING.problem

    def age_s(self, now: datetime) -> float | None:
        """Seconds since the last confirmation, or None when there was none."""
        return None if self.read_at is None else max(0.0, (now - self.read_at).total_seconds())

    def is_fresh(self, now: datetime, max_age_s: float) -> bool:
        """True when there is a value, confirmed at most `max_age_s` seconds ago."""
        age = self.age_s(now)
        return self.value is not None and age is not None and age <= max_age_s


MISSING: Reading = Reading(None, None, "not read yet")
