"""What all screens have in common: the app's news, keys from the one table, read-only mode, a word on small terminals.

A screen overrides `take` (news) and `can` (does this key do something now?), and calls `refresh_bindings` when that
changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from emqx_tui.ui.shell import keymap, words
from emqx_tui.ui.shell.keymap import Area
from emqx_tui.ui.shell.messages import Published
from emqx_tui.ui.shell.notice_line import Notice, NoticeLine

if TYPE_CHECKING:
    from emqx_tui.ui.shell.app import ConsoleApp

MIN_WIDTH, MIN_HEIGHT = 80, 24
WIDE = 120
"""From this many columns on there is room for things side by side."""


class TakesNews(Screen[Any]):
    """A screen that the app tells what is new; cards above other screens are such, too."""

    def take(self, published: Published) -> None:
        """Show what is new. Called by the app, on its thread, while this screen is visible."""

    def hear(self, notice: Notice | None) -> None:
        """Show the app's last answer, or take it away. Nothing that has to be read may be covered."""


class ConsoleScreen(TakesNews):
    """A screen with identity line, key line and the app's news."""

    AREA: ClassVar[Area]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012  Textual's own spelling

    @property
    def console(self) -> ConsoleApp:
        """The app, by its own type."""
        return cast("ConsoleApp", self.app)

    def can(self, action: str) -> bool:
        """Does the key do something now? Keys that do not are left out of the key line."""
        return True

    def compose_notice(self) -> ComposeResult:
        """The line for terminals that are too small, and the one for answers; every screen yields them first."""
        yield Static("", id="too-small", markup=False)
        yield NoticeLine()

    def hear(self, notice: Notice | None) -> None:
        self.query_one(NoticeLine).show(notice)

    def on_resize(self, event: events.Resize) -> None:
        width, height = event.size
        is_small = width < MIN_WIDTH or height < MIN_HEIGHT
        self.set_class(is_small, "-too-small")
        if is_small:
            self.query_one("#too-small", Static).update(words.too_small(width, height, MIN_WIDTH, MIN_HEIGHT))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if keymap.find(self.AREA, action) is None:
            return True
        if not self.can(action):
            return False
        return None if self.console.read_only_reason and keymap.sends(self.AREA, action) else True

    def on_key(self, event: events.Key) -> None:
        """A greyed key says why it does nothing."""
        reason = self.console.read_only_reason
        if reason and any(key.key == event.key and key.sends for key in keymap.keys_of(self.AREA)):
            self.console.say(words.read_only_answer(reason))
