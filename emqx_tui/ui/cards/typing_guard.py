"""PURE: tells a word that a person typed, key by key, from everything else that arrives as keys.

A card that can cut off a hundred thousand clients takes no key for its first second and a half, no paste (marked as
such or not), no key that repeats by itself, and no text that comes faster than hands are. What is refused clears what
was typed, and the rest of that word is refused with it: over a slow line a word arrives in pieces, and neither piece
may stand for another word. The clock is the caller's, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

SETTLE_S = 1.5
"""From the opening of a card until its first key."""
BURST_S = 0.005
"""Two keys closer than this were not typed by hand."""
PAUSE_S = 0.8
"""After a refusal: what comes sooner after the key before it belongs to the word that was refused."""
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
        self._is_refusing = False

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
        sentence = ""
        if self.remaining_s(at) > 0:
            sentence = "read it first: nothing is taken yet, and the field is cleared"
        elif same and gap_s < REPEAT_S:
            sentence = "a key that repeats is not taken: the field is cleared, press keys one by one"
        elif gap_s < BURST_S:
            sentence = "keys came all at once: the field is cleared, wait a second and type it again"
        elif self._is_refusing and gap_s < PAUSE_S:
            sentence = "the field was cleared while you typed: wait a second and type the whole word again"
        self._is_refusing = bool(sentence)
        return Refusal(sentence) if sentence else None
