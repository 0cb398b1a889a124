"""`emqx-tui replay`: the screens of a recorded release. Asks no cluster."""

from __future__ import annotations

from argparse import Namespace

from emqx_tui.adapters.errors import ConfigError, one_line
from emqx_tui.adapters.machine.flight_reading import read_views
from emqx_tui.cli.commands.console import has_terminal
from emqx_tui.cli.commands.report import recorded
from emqx_tui.cli.garbage import search_often
from emqx_tui.cli.parsing.flags import UsageError
from emqx_tui.config import Settings
from emqx_tui.model.wire import Malformed
from emqx_tui.session.replay import Replay


def run(arguments: Namespace, settings: Settings) -> int:
    """Open the screens; the exit code. Raises UsageError, ConfigError."""
    if not has_terminal():
        raise UsageError("a replay needs a terminal; report tells a release in text")
    from emqx_tui.ui.replay.app import ReplayApp

    app = ReplayApp(opened(arguments.file, settings), theme=settings.theme, is_ascii=settings.ascii)
    app.replay.is_playing = True
    app.replay.speed = arguments.speed
    search_often()
    app.run()
    return app.return_code or 0


def opened(word: str, settings: Settings) -> Replay:
    """The replay of a file or, where there is none of this name, of a cluster's newest recording with views."""
    problem = ""
    for path in recorded(word, settings):
        try:
            return Replay(*read_views(path))
        except Malformed:
            problem = f"{one_line(str(path))}: has no screens: it was written by an older console, or by a command"
    raise ConfigError(problem or f"no file {one_line(word)!r}, and no recording of a cluster of this name")
