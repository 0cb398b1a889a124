"""The top line. It never leaves the screen: nobody may have to guess which cluster this is.

It is told the newest identity and when it was told; a quiet engine shows by itself, as an age that grows.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.content import Content
from textual.widget import Widget

from emqx_tui.ui.shell.identity import QUIET_S, Identity, identity_line
from emqx_tui.ui.text import paint

Describe = Callable[[float], Identity]
"""Seconds without news -> what to show."""


class IdentityBar(Widget):
    """One line: context, server, namespace, cluster; LIVE age, PROD and READ-ONLY on the right."""

    CHECK_EVERY_S = 1.0

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._describe: Describe | None = None
        self._told_at = clock()
        self._identity: Identity | None = None

    def on_mount(self) -> None:
        self.set_interval(self.CHECK_EVERY_S, self.age)

    def tell(self, describe: Describe) -> None:
        """There is news: show it."""
        self._describe, self._told_at = describe, self._clock()
        self._show(describe(0.0))

    def age(self) -> None:
        """Show how long there was no news, once that is long."""
        quiet_s = self._clock() - self._told_at
        if self._describe is not None and quiet_s > QUIET_S:
            self._show(self._describe(quiet_s))

    def _show(self, identity: Identity) -> None:
        if identity != self._identity:
            self._identity = identity
            self.set_class(identity.is_production, "-production")
            self.refresh()

    def render(self) -> Content:
        if self._identity is None:
            return Content("")
        return paint.content(identity_line(self._identity, self.size.width))
