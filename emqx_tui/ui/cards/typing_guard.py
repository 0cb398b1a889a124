"""PURE: tells a word that a person typed, key by key, from everything else that arrives as keys.

A card that can cut off a hundred thousand clients takes no key for its first second and a half, no paste (marked as
such or not), no key that repeats by itself, and no text that comes faster than hands are. What is refused clears what
was typed: half a word never stays for a later key to complete. The clock is the caller's, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

SETTLE_S = 1.5
"""From the opening of a card until its first key."""
BURST_S = 0.005
"""Two keys closer than this were not typed by hand."""
REPEAT_S = 0.1
"""The same key again within this time is a key that is held down (terminals repeat 10 to 40 times a second)."""


@dataclass(frozen=True)
class Refusal:
    """Why a key was not taken."""

    sentence: str


class TypingGuard:
    """The word typed so far. `press` answers with a Refusal or None."""

    def __init__(self, opened_at: float) -> None:
        self.opened_at = opened_at
        self.text = ""
        self._last_at = float("-inf")
        self._last_key = ""

    def remaining_s(self, now: float) -> float:
        """Seconds until keys are taken."""
        return max(0.0, self.opened_at + SETTLE_S - now)

    def press(self, key: str, at: float) -> Refusal | None:
        """One printable key, pressed at `at`."""
        if refused := self._suspicious(key, at):
            self.clear()
            return refused
        self.text += key
        return None

    def enter(self, at: float) -> Refusal | None:
        """Enter: refused under the same rules as a letter."""
        if refused := self._suspicious("enter", at):
            self.clear()
            return refused
        return None

    def erase(self, at: float) -> None:
        """Backspace: may repeat, it only takes away."""
        self._last_at, self._last_key = at, "backspace"
        self.text = self.text[:-1]

    def paste(self) -> Refusal:
        """The terminal says that something was pasted."""
        self.clear()
        return Refusal("pasting is not taken: type it key by key")

    def clear(self) -> None:
        """Forget what was typed."""
        self.text = ""

    def _suspicious(self, key: str, at: float) -> Refusal | None:
        gap_s, same = at - self._last_at, key == self._last_key
        self._last_at, self._last_key = at, key
        if self.remaining_s(at) > 0:
            return Refusal("read it first: no key is taken yet")
        if same and gap_s < REPEAT_S:
            return Refusal("a key that repeats is not taken: press keys one by one")
        if gap_s < BURST_S:
            return Refusal("too fast for hands: type it key by key")
        return None
