"""PURE: what a gate is called: in the journal, in JSON lines, and on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from emqx_tui.model.records import AsText


class GateKind(StrEnum):
    START = "start"
    """Approved by the intent that begins a release; it never waits."""
    CUT_OVER = "cut-over"
    NODE = "node"


@dataclass(frozen=True)
class GateId(AsText):
    """A gate of a release. Its text is `start`, `cut-over`, `cut-over:late` or `node:<ordinal>`."""

    kind: GateKind
    ordinal: int | None = None
    """Of the blue node that is drained; None for the other kinds."""
    is_late: bool = False
    """The cut-over with late removal: it has other consequences, so it needs its own approval."""

    @classmethod
    def node(cls, ordinal: int) -> Self:
        return cls(GateKind.NODE, ordinal)

    def __str__(self) -> str:
        if self.kind is GateKind.NODE:
            return f"{self.kind}:{self.ordinal}"
        return f"{self.kind}:late" if self.is_late else str(self.kind)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The gate of this name. Raises ValueError."""
        kind, _, ordinal = text.partition(":")
        if kind == GateKind.NODE and ordinal.isascii() and ordinal.isdigit():
            return cls.node(int(ordinal))
        others = (cls(GateKind.START), cls(GateKind.CUT_OVER), cls(GateKind.CUT_OVER, is_late=True))
        for gate in others:
            if str(gate) == text:
                return gate
        raise ValueError("expected a gate: start, cut-over, cut-over:late or node:<ordinal>")


START = GateId(GateKind.START)
CUT_OVER = GateId(GateKind.CUT_OVER)
LATE_CUT_OVER = GateId(GateKind.CUT_OVER, is_late=True)
