"""What screens and widgets may ask of the app, so that none of them has to import it."""

from __future__ import annotations

from typing import Protocol, cast

from textual.app import ComposeResult
from textual.widget import Widget

from emqx_tui.runbook import Runbook
from emqx_tui.session.views.published import Published
from emqx_tui.ui.shell.notice_line import Notice, Severity


class Console(Protocol):
    """The app as its screens see it."""

    context: str
    server: str
    is_production: bool
    read_only_reason: str
    """Why nothing may be sent; empty when it may."""
    is_demo: bool
    is_rehearsal: bool
    has_time_keys: bool
    """Left, right, home and end go through the time of a recording."""
    runbook: Runbook
    """What a person is to do at each gate."""
    published: Published
    news_at: float
    """When `published` was fetched, in seconds of the monotonic clock."""
    notice: Notice | None
    """The notice on display."""

    contexts: tuple[str, ...]
    """Those that can be changed to."""
    namespaces: list[str]
    """Those that can be looked at by a number, in order."""

    def look_at(self, namespace: str | None) -> None:
        """List another namespace; None: all."""
        ...

    def change_context(self, context: str) -> None:
        """Go on with another context, unless something would be left behind."""
        ...

    def use_theme(self, name: str) -> None:
        """Change the colours, at once."""
        ...

    @property
    def person(self) -> str:
        """Who sits here: `user@host`, for intents."""
        ...

    def bars(self) -> ComposeResult:
        """What stands on every screen besides its own lines."""
        ...

    def say(self, text: str, *, severity: Severity = "information") -> None:
        """Show a notice for a few seconds; it replaces the one before. Never parsed as markup."""
        ...

    def retract(self, text: str) -> None:
        """Take a notice away that is true no longer, if it still stands."""
        ...

    def report(self, cluster: tuple[str, str], release_id: str) -> None:
        """Write the report of a release of (namespace, name), and say where it is."""
        ...

    def copy(self, text: str, what: str) -> None:
        """Give a text to the terminal's clipboard, or write it to a file, and say which."""
        ...

    def go_back(self) -> None:
        """Close the screen on top."""
        ...

    def next_number(self) -> int:
        """A number for a question about an edit, greater than all before it."""
        ...


def console_of(widget: Widget) -> Console:
    """The app that a screen or widget belongs to."""
    return cast("Console", widget.app)
