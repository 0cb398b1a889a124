"""PURE: the earlier and later texts of an edit that was not sent.

Only texts are kept: what they change is worked out anew against the object as it is now. Keys that are typed one after
another in the same place are one step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MOST_STEPS = 200
PAUSE_S = 2.0
"""After a pause of this length the next key begins a step of its own."""


@dataclass(frozen=True)
class History:
    """What undo and redo go to, the nearest text last."""

    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    place: str = ""
    """Where the newest step was typed; empty after an undo or a redo, so that the next key begins a step."""
    at: float = 0.0

    def edited(self, before: str, place: str, at: float) -> History:
        """The text was `before` until now; `at` counts seconds."""
        is_same_step = bool(self.past) and place == self.place and at - self.at < PAUSE_S
        past = self.past if is_same_step else (*self.past, before)[-MOST_STEPS:]
        return History(past, (), place, at)

    def undo(self, text: str) -> tuple[str, History]:
        """The text before the newest step; the same one when there is none."""
        if not self.past:
            return text, self
        return self.past[-1], replace(self, past=self.past[:-1], future=(*self.future, text), place="")

    def redo(self, text: str) -> tuple[str, History]:
        """The text after the step that was undone last; the same one when there is none."""
        if not self.future:
            return text, self
        return self.future[-1], replace(self, past=(*self.past, text), future=self.future[:-1], place="")
