"""What stands on the screen, and waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from textual.app import App
from textual.pilot import Pilot

DEADLINE_S = 20.0


def lines(app: App) -> list[str]:
    """The lines on the screen, as a person reads them."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


def text(app: App) -> str:
    return "\n".join(lines(app))


async def until(pilot: Pilot, condition: Callable[[], object]) -> None:
    """Let the app work until the condition holds; fails with the screen when it never does."""
    end = monotonic() + DEADLINE_S
    while not condition():
        assert monotonic() < end, f"it never came:\n{text(pilot.app)}"
        await pilot.pause()


async def until_shown(pilot: Pilot, *words: str) -> None:
    def are_shown() -> bool:
        shown = text(pilot.app)
        return all(word in shown for word in words)

    await until(pilot, are_shown)


async def until_said(pilot: Pilot, words: str) -> None:
    """Wait until an answer with these words stands; on the screen itself it may be wrapped."""
    await until(pilot, lambda: words in said(pilot.app))


def said(app: App) -> str:
    """The answer that stands on the screen for a while, unwrapped."""
    notice = getattr(app, "notice", None)
    return notice.text if notice else ""
