"""`emqx-tui replay`: the console on a recording. Time is a key; nothing is sent, and nobody is asked."""

from __future__ import annotations

import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from emqx_tui.session.replay import Replay
from emqx_tui.ui.app import STYLES, UI, ConsoleApp
from emqx_tui.ui.replay.bar import ReplayBar
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.help_screen import HelpScreen, help_lines
from emqx_tui.ui.shell.keymap import Area
from emqx_tui.ui.shell.messages import ChangeWanted, InspectionWanted, ObjectsWanted, PodWanted
from emqx_tui.ui.shell.screen import ConsoleScreen
from emqx_tui.ui.text.themes import DARK

REASON = "this is a replay"
FRAME_S = 0.1
PREPARED = 150
"""Views whose samples are counted with each frame, ahead of a seek: some ten milliseconds."""
STILL_S = 1.0
"""Between two drawings while it stands still: a plot that is drawn late waits for news to show its figures."""


class ReplayApp(ConsoleApp):
    """The console's screens, with a bar that says that nothing in them is live."""

    CSS_PATH: ClassVar = [*STYLES, UI / "replay" / "replay.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = list(keymap.bindings(Area.REPLAY))

    def __init__(self, replay: Replay, *, theme: str = DARK.name, is_ascii: bool = False) -> None:
        view = replay.view()
        super().__init__(replay, theme=theme, is_ascii=is_ascii, opened=(view.snapshot.namespace, view.snapshot.name))
        self.read_only_reason = REASON
        self.has_time_keys = True
        self.replay = replay
        self._played_at = self._drawn_at = time.monotonic()

    def on_mount(self) -> None:
        self.set_interval(FRAME_S, self._play)

    def bars(self) -> ComposeResult:
        yield ReplayBar(self.replay)

    def _play(self) -> None:
        now = time.monotonic()
        passed_s, self._played_at = now - self._played_at, now
        self.replay.play(passed_s)
        self.replay.prepare(PREPARED)
        if now - self._drawn_at >= STILL_S:
            self.replay.show_again()

    def hand_out(self) -> None:
        self._drawn_at = time.monotonic()
        super().hand_out()
        for bar in self.screen.query(ReplayBar):
            bar.refresh()

    # --- keys ------------------------------------------------------------------------------------------------

    def action_pause(self) -> None:
        if not self.replay.is_playing and self.replay.at >= self.replay.end:
            self.replay.seek(self.replay.begin)
        self.replay.is_playing = not self.replay.is_playing
        self.on_views_changed()

    def action_step(self) -> None:
        self.replay.step(1)

    def action_step_back(self) -> None:
        self.replay.step(-1)

    def action_minute(self) -> None:
        self.replay.skip(60.0)

    def action_minute_back(self) -> None:
        self.replay.skip(-60.0)

    def action_begin(self) -> None:
        self.replay.seek(self.replay.begin)

    def action_end(self) -> None:
        self.replay.seek(self.replay.end)

    def action_next_event(self) -> None:
        if not self.replay.next_event():
            self.say("no event follows")

    def action_next_gate(self) -> None:
        if not self.replay.next_gate():
            self.say("no gate follows")

    def action_faster(self) -> None:
        self.replay.faster(1)
        self.on_views_changed()

    def action_slower(self) -> None:
        self.replay.faster(-1)
        self.on_views_changed()

    def action_help(self) -> None:
        if isinstance(self.screen, ConsoleScreen):
            of_replay = help_lines(keymap.keys_of(Area.REPLAY), Area.REPLAY, "")
            of_screen = help_lines(keymap.in_effect(), self.screen.AREA, self.read_only_reason)
            self.push_screen(HelpScreen("Keys of a replay, and of this screen", [*of_replay, (), *of_screen]))

    # --- what was not recorded ---------------------------------------------------------------------------------

    def on_change_wanted(self, message: ChangeWanted) -> None:
        self._not_recorded(message, "edits")

    def on_objects_wanted(self, message: ObjectsWanted) -> None:
        self._not_recorded(message, "objects")

    def on_inspection_wanted(self, message: InspectionWanted) -> None:
        self._not_recorded(message, "answers about objects")

    def on_pod_wanted(self, message: PodWanted) -> None:
        self._not_recorded(message, "the Events and the log of a pod")

    def _not_recorded(self, message: Message, what: str) -> None:
        # Textual would call the console's own handler next.
        message.prevent_default()
        self.say(f"{REASON}: {what} are not in a recording")
