"""What all screens have in common: news from the app, keys from the one table, read-only mode, the size check.

A screen overrides `take` (news) and `can` (does this key do something now?), and calls `refresh_bindings` when the
answer of `can` changes.
"""

from __future__ import annotations

from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Static

from emqx_tui.session.views.published import Published
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.console import Console, console_of
from emqx_tui.ui.shell.help_screen import MissingRight
from emqx_tui.ui.shell.identity import Identity
from emqx_tui.ui.shell.keymap import Area
from emqx_tui.ui.shell.lone_key import ALONE_S, LoneKey
from emqx_tui.ui.shell.notice_line import Notice, NoticeLine
from emqx_tui.ui.text.marks import Mark
from emqx_tui.ui.text.spans import EMPTY, Line

MIN_WIDTH, MIN_HEIGHT = 60, 20
PLOT_WIDTH, PLOT_HEIGHT = 80, 24
"""Below this a screen is text only: it leaves out the plot, and says the rest in fewer cells."""
WIDE = 120
"""From this many columns on there is room for things side by side."""


def is_text_only(size: Size) -> bool:
    """Too small for the plot."""
    return size.width < PLOT_WIDTH or size.height < PLOT_HEIGHT


class TakesNews(Screen[Any]):
    """A screen, or a card above one, that the app tells what is new."""

    def take(self, published: Published) -> None:
        """Show what is new. Called by the app, on its thread, while this screen is visible."""

    def hear(self, notice: Notice | None) -> None:
        """Show the app's newest notice, or take it away, without covering anything that has to be read."""


class ConsoleScreen(TakesNews):
    """A screen with identity line, key line and notices."""

    AREA: ClassVar[Area]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012  Textual's own spelling

    def __init__(self) -> None:
        super().__init__()
        keymap.rebind(self._bindings)
        self._lone_key = LoneKey()

    @property
    def console(self) -> Console:
        """The app, as far as screens know it."""
        return console_of(self)

    @property
    def unsent(self) -> str:
        """What would be lost with this screen: `mqtt/emqx-ee: 2 changes are`, for "not sent" to follow."""
        return ""

    def can(self, action: str) -> bool:
        """Does the key do something now? Keys that do not are left out of the key line."""
        return True

    @property
    def why_grey(self) -> str:
        """Two words beside the key line for its grey keys; empty where there is nothing to say."""
        return "read-only" if self.console.read_only_reason else ""

    def why_not(self, action: str) -> str:
        """Why a key that would do something is greyed out; empty when it is not."""
        reason = self.console.read_only_reason
        return not_sent(reason) if reason and keymap.sends(self.AREA, action) else ""

    def identity(
        self,
        *path: str,
        live: Mark,
        server: str = "",
        scope: str = "",
        middle: Line = EMPTY,
        short_middle: Line = EMPTY,
    ) -> Identity:
        """What the top line of this screen tells; `path` stands behind the context."""
        console = self.console
        return Identity(
            (console.context, *path),
            server,
            scope,
            live,
            middle,
            short_middle,
            is_production=console.is_production,
            is_rehearsal=console.is_rehearsal,
            is_read_only=bool(console.read_only_reason),
        )

    def missing_rights(self) -> tuple[MissingRight, ...]:
        """What this user may not do here, for the help."""
        return ()

    def compose_notice(self) -> ComposeResult:
        """The line for terminals that are too small, and the one for notices; every screen yields them first."""
        yield Static("", id="too-small", markup=False)
        yield NoticeLine()
        yield from self.console.bars()

    def on_mount(self) -> None:
        self.hear(self.console.notice)

    def hear(self, notice: Notice | None) -> None:
        self.query_one(NoticeLine).show(notice)

    def on_screen_resume(self) -> None:
        self.take(self.console.published)

    def on_resize(self, event: events.Resize) -> None:
        width, height = event.size
        self.set_class(is_text_only(event.size), "-text")
        is_small = width < MIN_WIDTH or height < MIN_HEIGHT
        self.set_class(is_small, "-too-small")
        if is_small:
            hold = keymap.spelled(self.AREA, "hold")
            self.query_one("#too-small", Static).update(
                f"{width}x{height}: {MIN_WIDTH}x{MIN_HEIGHT} is needed" + (f"; {hold} still holds" if hold else "")
            )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if keymap.find(self.AREA, action) is None:
            return True
        if not self.can(action):
            return False
        return None if self.why_not(action) else True

    def on_key(self, event: events.Key) -> None:
        """A greyed-out key says why it does nothing; one that sends without a card has to be pressed on its own."""
        key = keymap.pressed(self.AREA, event.key)
        if key and (reason := self.why_not(key.action)):
            self.console.say(reason)
        if self.console.read_only_reason:
            return
        if not event.is_printable and event.key != "enter":
            return
        is_instant = key is not None and key.is_instant and bool(self.check_action(key.action, ()))
        together = self._lone_key.press(event.key, event.time, sends_at_once=is_instant)
        if together:
            self.console.say(f"Nothing was sent: {together} came together. Press one key.", severity="warning")
        if key and (key.is_instant or (together and key.sends)):
            event.stop()
        if self._lone_key.waiting:
            self.set_timer(ALONE_S, self._after_keys_on_their_way)

    def _after_keys_on_their_way(self) -> None:
        """On a busy machine the next key may have been read, and not have come here yet."""
        self.app.call_later(self.call_later, self._run_lone_key)

    async def _run_lone_key(self) -> None:
        key = keymap.pressed(self.AREA, self._lone_key.settle())
        if key and self.is_current and self.check_action(key.action, ()):
            await self.run_action(key.action)


def not_sent(read_only_reason: str) -> str:
    """The notice in answer to an intent in read-only mode."""
    return f"Nothing was sent: {read_only_reason}"
