"""One object as text: YAML, description, or Events; to be read, searched and copied.

YAML and description are of the instant at which they were asked for, which is told; Events are asked for anew.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input
from textual.widgets.text_area import Selection

from emqx_tui.model import units
from emqx_tui.session.inspection.questions import Answer, Question
from emqx_tui.session.views.published import Published
from emqx_tui.ui.objects.description import description
from emqx_tui.ui.objects.documents import events_text, yaml_text
from emqx_tui.ui.objects.find_input import FindInput
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.identity import Identity, IdentityBar, view_live
from emqx_tui.ui.shell.key_line import KeyLine
from emqx_tui.ui.shell.keymap import Area
from emqx_tui.ui.shell.messages import InspectionEnded, InspectionWanted
from emqx_tui.ui.shell.screen import WIDE, ConsoleScreen
from emqx_tui.ui.text.line_box import LineBox
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Tone, line
from emqx_tui.ui.text.yaml_text import YamlText

EVENTS_EVERY_S = 5.0


class Shape(StrEnum):
    """How an object is shown."""

    YAML = "YAML"
    DESCRIPTION = "description"
    EVENTS = "events"


class DocumentText(YamlText):
    """The text; it takes no letters, so that they are keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("home", "first_line", show=False),
        Binding("end", "last_line", show=False),
    ]

    def __init__(self, language: str | None) -> None:
        super().__init__(language=language, read_only=True, soft_wrap=False, show_line_numbers=False, id="text")
        self.cursor_blink = False

    def show(self, text: str) -> None:
        """Show this text; the place that is read stays."""
        if text == self.text:
            return
        place, offset = self.cursor_location, self.scroll_offset
        self.load_text(text)
        self.move_cursor(place)
        self.scroll_to(*offset, animate=False)

    def action_first_line(self) -> None:
        self.move_cursor((0, 0))

    def action_last_line(self) -> None:
        self.move_cursor(self.document.end)


class DocumentScreen(ConsoleScreen):
    """Shows the answer to one question."""

    AREA = Area.DOCUMENT
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(Area.DOCUMENT), Binding("escape", "leave", "back")]

    def __init__(self, shape: Shape, title: str, cluster: tuple[str, str], question: Question) -> None:
        super().__init__()
        self._shape, self._title, self._cluster, self._question = shape, title, cluster, question
        self._number = 0
        self._answer: Answer | None = None
        self._told_at: datetime | None = None
        self._with_managed = False
        self._wanted = ""

    def compose(self) -> ComposeResult:
        yield IdentityBar()
        yield from self.compose_notice()
        yield LineBox(id="head")
        yield DocumentText("yaml" if self._shape is Shape.YAML else None)
        yield FindInput("what to search for")
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(DocumentText).focus()
        self._number = self.console.next_number()
        self._ask()
        if self._shape is Shape.EVENTS:
            self.set_interval(EVENTS_EVERY_S, self._ask)
        self._show_head()

    def _ask(self) -> None:
        self.post_message(InspectionWanted(self._number, self._question))

    # --- news ---

    def take(self, published: Published) -> None:
        view, answer = published.view, published.answer
        self.query_one(IdentityBar).tell(self._identity)
        if answer is not None and answer.number == self._number and answer != self._answer:
            self._answer = answer
            self._told_at = view.now if view else published.fleet.now
            self._show()

    def _show(self) -> None:
        answer, now = self._answer, self._told_at
        if answer is None or now is None:
            return
        self.query_one(DocumentText).show(self._text(answer, now))
        self._show_head()
        self.refresh_bindings()

    def _text(self, answer: Answer, now: datetime) -> str:
        if answer.problem:
            return f"{answer.problem}\n"
        match self._shape:
            case Shape.YAML:
                return yaml_text(answer.object or {}, with_managed=self._with_managed)
            case Shape.DESCRIPTION:
                return description(answer.object or {}, answer.events, answer.events_problem, now)
            case Shape.EVENTS:
                return events_text(answer.events, answer.events_problem, now)

    def _show_head(self) -> None:
        text = self.query_one(DocumentText)
        state = "asked for…" if self._told_at is None else f"as of {units.clock(self._told_at)}"
        parts = [f"  {state}"]
        if self._told_at is not None:
            parts.append(f"  {units.plural(len(text.text.splitlines()), 'line')}")
        if self._wanted:
            found = self._places()
            parts.append(f"  {units.plural(len(found), 'place')} with {clean(self._wanted)}")
        self.query_one("#head", LineBox).set_lines(
            [line((f" {self._shape} of {self._title}", Tone.STRONG), ("".join(parts), Tone.DIM))]
        )

    def _identity(self, quiet_s: float) -> Identity:
        server = self.console.server if self.size.width >= WIDE else ""
        live = view_live(self.console.published.view, quiet_s)
        return self.identity(*self._cluster, "objects", live=live, server=server)

    # --- keys ---

    def can(self, action: str) -> bool:
        if isinstance(self.focused, Input):
            return False
        if action == "managed":
            metadata = (self._answer.object or {}).get("metadata") if self._answer else None
            return self._shape is Shape.YAML and isinstance(metadata, dict) and "managedFields" in metadata
        return action != "next" or bool(self._wanted)

    def action_leave(self) -> None:
        self.post_message(InspectionEnded())
        self.console.go_back()

    def action_wrap(self) -> None:
        text = self.query_one(DocumentText)
        text.soft_wrap = not text.soft_wrap

    def action_managed(self) -> None:
        self._with_managed = not self._with_managed
        self._show()

    def action_copy(self) -> None:
        text = self.query_one(DocumentText)
        what = f"{self._shape} of {self._title}"
        self.console.copy(text.selected_text or text.text, "what is marked" if text.selected_text else what)

    # --- search ---

    def action_search(self) -> None:
        self.query_one(FindInput).open()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._wanted = event.value
        self._show_head()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._leave_search()
        self.action_next()

    def action_drop_search(self) -> None:
        self.query_one(FindInput).value = ""
        self._leave_search()

    def _leave_search(self) -> None:
        self.query_one(FindInput).close()
        self.query_one(DocumentText).focus()
        self.refresh_bindings()

    def action_next(self) -> None:
        """Mark the first place behind the cursor; behind the last one, the first of all."""
        text, places = self.query_one(DocumentText), self._places()
        if not places:
            self.console.say(f"Nothing here contains {clean(self._wanted)}")
            return
        here = text.selection.end
        start, end = next((place for place in places if place[0] >= here), places[0])
        text.selection = Selection(start, end)

    def _places(self) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        if not self._wanted:
            return []
        pattern = re.compile(re.escape(self._wanted), re.IGNORECASE)
        lines = self.query_one(DocumentText).document.lines
        return [
            ((row, found.start()), (row, found.end()))
            for row, text in enumerate(lines)
            for found in pattern.finditer(text)
        ]
