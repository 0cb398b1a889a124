"""PURE: tells a key pressed on its own from one of several that were typed for something else.

Keys that send at once (hold, freeze, resume) must not be set off by `fg` typed after ctrl-z, or by the keys that a
stalled terminal hands over all together. Times are seconds of the caller's clock.
"""

from __future__ import annotations

BURST_S = 0.005
"""Two keys closer than this were not pressed one after the other."""
ALONE_S = 0.25
"""How long no other key may follow."""


class LoneKey:
    """Holds one key back until it is known that no other came with it."""

    def __init__(self) -> None:
        self.waiting = ""
        """The key that is sent unless another one follows; empty without one."""
        self._last_at = float("-inf")
        self._last = ""

    def press(self, key: str, at: float, *, sends_at_once: bool) -> str:
        """Take in a printable key or Enter. The keys that came together, which send nothing; else an empty text."""
        is_burst = at - self._last_at < BURST_S and key != self._last
        before, self._last, self._last_at = self._last, key, at
        if self.waiting and key != self.waiting:
            together, self.waiting = f"{self.waiting} {key}", ""
            return together
        if sends_at_once and is_burst:
            return f"{before} {key}"
        if sends_at_once:
            self.waiting = key
        return ""

    def settle(self) -> str:
        """The key that nothing followed."""
        key, self.waiting = self.waiting, ""
        return key
