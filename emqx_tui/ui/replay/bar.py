"""The top line of a replay: that it is one, of what, where it stands, and its keys."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from emqx_tui.model import units
from emqx_tui.session.replay import Replay
from emqx_tui.ui.text import paint, spans
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Line, line

KEYS = "space ←→ ,. j g -+ ? keys"


class ReplayBar(Widget):
    """One line."""

    def __init__(self, replay: Replay) -> None:
        super().__init__()
        self._replay = replay

    def render(self) -> Content:
        return paint.content(bar_line(self._replay, self.size.width))


def bar_line(replay: Replay, width: int) -> Line:
    """PURE: what gives way first are the keys."""
    gone, whole = ((at - replay.begin).total_seconds() for at in (replay.at, replay.end))
    sign = "▶" if replay.is_playing else "‖"
    told = (
        f" ▐REPLAY▌ {clean(replay.recording.name)}  {replay.at:%H:%M:%S}Z  "
        f"{units.clock_span(gone)} of {units.clock_span(whole)}  {sign} {replay.speed}×"
    )
    told += f"  key: {clean(replay.key)}" if replay.key else ""
    keys = f"  {KEYS} "
    if spans.width(line(told, keys)) > width:
        return spans.crop(line(told), width)
    return spans.spread(line(told), line(keys), width)
