"""What a person is told once: the answer to what they asked for, or a problem."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # A list of clusters loads nothing of a release.
    from emqx_tui.rollout.decision import RefusalReason


class NoticeKind(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    PROBLEM = "problem"
    """Nobody asked, but a person has to know."""


@dataclass(frozen=True)
class Notice:
    """The answer to an intent or to an edit."""

    kind: NoticeKind
    text: str
    """One sentence for a person."""
    reason: RefusalReason | None = None
    """Of a refusal."""

    @classmethod
    def refused(cls, text: str, reason: RefusalReason | None = None) -> Notice:
        """`reason`: NOT_NOW unless it is given."""
        from emqx_tui.rollout.decision import RefusalReason

        return cls(NoticeKind.REFUSED, text, reason or RefusalReason.NOT_NOW)

    @property
    def is_refusal(self) -> bool:
        return self.kind is NoticeKind.REFUSED

    def __str__(self) -> str:
        return f"refused: {self.text}" if self.is_refusal else self.text
