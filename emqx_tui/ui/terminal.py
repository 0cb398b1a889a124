"""What the terminal behind the app is up to. Alone in looking into Textual's driver, which offers no such thing."""

from __future__ import annotations

from textual.app import App


def is_behind(app: App) -> bool:
    """True while the terminal has not taken what was drawn before: drawing more would make the loop wait for it."""
    thread = getattr(getattr(app, "_driver", None), "_writer_thread", None)
    queue = getattr(thread, "_queue", None)
    return queue is not None and queue.qsize() > 1
