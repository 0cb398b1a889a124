"""The log of one container: followed, from some time ago, or of before the container's restart.

Lines are kept by the engine, bounded; here they are filtered, wrapped and drawn. Leaving the screen lets the log go.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Log

from emqx_tui.model import units
from emqx_tui.session.inspection.log_tail import MOST_LINES
from emqx_tui.session.inspection.questions import LogExcerpt, ReadLog
from emqx_tui.session.views.published import Published
from emqx_tui.ui.objects.find_input import FindInput
from emqx_tui.ui.objects.log_lines import matching, wrapped
from emqx_tui.ui.rollout.names import tail
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.identity import Identity, IdentityBar, view_live
from emqx_tui.ui.shell.key_line import KeyLine
from emqx_tui.ui.shell.keymap import Area
from emqx_tui.ui.shell.messages import InspectionEnded, InspectionWanted
from emqx_tui.ui.shell.screen import WIDE, ConsoleScreen
from emqx_tui.ui.text.line_box import LineBox
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Tone, line, wrap


class LogText(Log):
    """The lines that are shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(max_lines=4 * MOST_LINES, id="log")


class LogScreen(ConsoleScreen):
    """Shows the log of one of a pod's containers."""

    AREA = Area.LOG
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(Area.LOG), Binding("escape", "leave", "back")]

    def __init__(self, cluster: tuple[str, str], pod: str, containers: tuple[str, ...]) -> None:
        super().__init__()
        self._cluster, self._pod, self._containers = cluster, pod, containers
        self._container = containers[0]
        self._is_previous = False
        self._since_s: int | None = None
        self._is_wrapped = True
        self._wanted = ""
        self._number = 0
        self._log = LogExcerpt()
        self._problem = ""
        self._is_answered = False

    def compose(self) -> ComposeResult:
        yield IdentityBar()
        yield from self.compose_notice()
        yield LineBox(id="head")
        yield LogText()
        yield FindInput("words, !word leaves out")
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(LogText).focus()
        self._ask()

    def _ask(self) -> None:
        """Begin anew, with what is wanted now."""
        self._number = self.console.next_number()
        self._log, self._problem, self._is_answered = LogExcerpt(), "", False
        namespace = self._cluster[0]
        question = ReadLog(namespace, self._pod, self._container, self._is_previous, self._since_s)
        self.post_message(InspectionWanted(self._number, question))
        self._draw_anew()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._draw_anew)

    # --- news ---

    def take(self, published: Published) -> None:
        self.query_one(IdentityBar).tell(self._identity)
        answer = published.answer
        if answer is None or answer.number != self._number:
            return
        before, self._log = self._log, answer.log
        self._problem, self._is_answered = answer.problem, True
        self._write(self._log.behind(before.end))
        self._show_head()

    def _write(self, lines: tuple[str, ...]) -> None:
        shown = matching(lines, self._wanted)
        text = self.query_one(LogText)
        if self._is_wrapped:
            shown = wrapped(shown, max(20, text.scrollable_content_region.width))
        if found := list(shown):
            text.write_lines(found)

    def _draw_anew(self) -> None:
        self.query_one(LogText).clear()
        self._write(self._log.lines)
        self._show_head()

    def _show_head(self) -> None:
        text = self.query_one(LogText)
        kept = units.plural(self._log.end, "line")
        if self._log.first:
            kept = f"the last {units.count(len(self._log.lines))} of {kept}"
        parts = [f"  {self._state()}", f"  {kept}"]
        if not text.auto_scroll:
            parts.append("  stands still, s follows")
        if self._wanted:
            parts.append(f"  only with {clean(self._wanted)}")
        which = f"{self._container} of {tail(self._pod)}"
        head = line(
            (f" log of {clean(which)}", Tone.STRONG),
            ("  before its restart" if self._is_previous else "", Tone.STRONG),
            ("".join(parts), Tone.DIM),
        )
        why = wrap(line((f" {clean(self._problem)}", Tone.WARN)), self.size.width) if self._problem else []
        box = self.query_one("#head", LineBox)
        box.styles.height = 1 + len(why)
        box.set_lines([head, *why])

    def _state(self) -> str:
        if not self._is_answered:
            return "asked for…"
        since = f"since {units.span(self._since_s)} ago, " if self._since_s else ""
        return f"{since}{'followed' if self._log.is_followed else 'ended'}"

    def _identity(self, quiet_s: float) -> Identity:
        server = self.console.server if self.size.width >= WIDE else ""
        live = view_live(self.console.published.view, quiet_s)
        return self.identity(*self._cluster, "objects", live=live, server=server)

    # --- keys ---

    def can(self, action: str) -> bool:
        if isinstance(self.focused, Input):
            return False
        return action != "container" or len(self._containers) > 1

    def action_leave(self) -> None:
        if self._wanted:
            self.action_drop_search()
        else:
            self.post_message(InspectionEnded())
            self.console.go_back()

    def action_follow(self) -> None:
        text = self.query_one(LogText)
        text.auto_scroll = not text.auto_scroll
        if text.auto_scroll:
            text.scroll_end(animate=False)
        self._show_head()

    def action_wrap(self) -> None:
        self._is_wrapped = not self._is_wrapped
        self._draw_anew()

    def action_previous(self) -> None:
        self._is_previous = not self._is_previous
        self._ask()

    def action_container(self) -> None:
        place = self._containers.index(self._container) + 1
        self._container = self._containers[place % len(self._containers)]
        self._ask()

    def action_copy(self) -> None:
        shown = "".join(f"{text}\n" for text in matching(self._log.lines, self._wanted))
        self.console.copy(shown, f"log of {self._container} of {tail(self._pod)}")

    def action_since_start(self) -> None:
        self._read_since(None)

    def action_since_1m(self) -> None:
        self._read_since(60)

    def action_since_5m(self) -> None:
        self._read_since(300)

    def action_since_15m(self) -> None:
        self._read_since(900)

    def action_since_1h(self) -> None:
        self._read_since(3600)

    def _read_since(self, seconds: int | None) -> None:
        self._since_s = seconds
        self._ask()

    # --- search ---

    def action_search(self) -> None:
        self.query_one(FindInput).open()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._wanted = event.value
        self._draw_anew()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._leave_search()

    def action_drop_search(self) -> None:
        self.query_one(FindInput).value = ""
        self._leave_search()

    def _leave_search(self) -> None:
        self.query_one(FindInput).close()
        self.query_one(LogText).focus()
        self.refresh_bindings()
