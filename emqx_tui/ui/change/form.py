"""The form of the change screen: one line per field. Letters stay keys of the screen until a text is edited.

A number field takes digits only; a text field takes digits and dots at once (a version), and letters after Enter.
Enter after something was typed ends that: whoever confirms a version has its `w` as the key of the screen. So `w` and
`d` work while a field has the focus, and nobody types a repository by accident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Static

from emqx_tui.rollout.change import ReleaseOptions
from emqx_tui.ui.change.edit import Edit
from emqx_tui.ui.change.form_rows import CHOICES, FORM, OPTIONS, FormRow, Seen, chosen, field_note, option_note
from emqx_tui.ui.text import paint
from emqx_tui.ui.text.spans import Line

MOVES: list[BindingType] = [
    Binding("up", "screen.step(-1)", show=False),
    Binding("down", "screen.step(1)", show=False),
]
"""From row to row, and never out of them: the arrows move a cursor in the editor, and a digit would be typed."""


class FleetSuggester(Suggester):
    """Completes what is typed with what runs in the fleet; `right` takes it."""

    def __init__(self, field: FieldInput) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._field = field

    async def get_suggestion(self, value: str) -> str | None:
        return self._field.seen.completion(self._field.field, value) or None


class FieldInput(Input):
    """One value of the object."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVES,
        Binding("enter", "edit", "edit text"),
        Binding("enter", "done", "done"),
        Binding("escape", "restore", "as it was"),
    ]
    is_editing = reactive(False)
    """Letters are typed into it."""
    is_typed = reactive(False)
    """Something was typed since it has the focus, or since the last Enter."""

    class TypingChanged(Message):
        """From here on letters are typed into the field, or are keys again."""

    def __init__(self, row: FormRow, *, is_number: bool) -> None:
        super().__init__(
            compact=True,
            select_on_focus=True,
            id=f"field-{row.name}",
            max_length=200,
            suggester=FleetSuggester(self),
        )
        self.field = row.name
        self.seen = Seen()
        self.is_number = is_number
        self._before = ""
        self.cursor_blink = False

    def takes(self, character: str | None) -> bool:
        """Does this key type something here?"""
        if character is None or not character.isprintable():
            return False
        if self.is_number:
            return character.isdecimal()
        return self.is_editing or character.isdecimal() or character == "."

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return self.takes(character)

    def on_key(self, event: events.Key) -> None:
        if event.is_printable and not self.takes(event.character):
            event.prevent_default()

    def _on_paste(self, event: events.Paste) -> None:
        text = event.text.strip()
        if self.is_number and not text.isdecimal():
            event.prevent_default()
            event.stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "edit":
            return not self.is_editing and not self.is_typed and not self.is_number
        if action == "done":
            return self.is_editing or self.is_typed
        if action == "restore":
            return self.is_editing
        return super().check_action(action, parameters)

    def on_focus(self) -> None:
        self._before = self.value
        self.is_typed = False

    def on_blur(self) -> None:
        self.is_editing = self.is_typed = False

    def show(self, value: str) -> None:
        """A value that nobody typed here."""
        with self.prevent(Input.Changed):
            self.value = value
        self.is_typed = False
        if self.has_focus and not self.is_editing:
            # As after a tab: what is typed next replaces the value.
            self.select_all()

    def watch_value(self) -> None:
        self.is_typed = self.has_focus

    def watch_is_editing(self) -> None:
        self.set_class(self.is_editing, "-editing")
        self.refresh_bindings()
        self.post_message(self.TypingChanged())

    def watch_is_typed(self) -> None:
        self.refresh_bindings()

    def action_edit(self) -> None:
        self._before = self.value
        self.is_editing = True

    def action_done(self) -> None:
        self._before = self.value
        self.is_editing = self.is_typed = False
        self.select_all()

    def action_restore(self) -> None:
        self.value = self._before
        self.is_editing = self.is_typed = False


class ChoiceField(Widget, can_focus=True):
    """One of several words; left and right (or space) change it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVES,
        Binding("space,right", "turn(1)", "change"),
        Binding("left", "turn(-1)", show=False),
    ]
    value: reactive[str] = reactive("")

    @dataclass
    class Changed(Message):
        """Another word was chosen."""

        field: str
        value: str

    def __init__(self, row: FormRow, words: Sequence[str]) -> None:
        super().__init__(id=f"field-{row.name}")
        self.field = row.name
        self.words = tuple(words)
        self.set_reactive(ChoiceField.value, self.words[0])

    def render(self) -> Content:
        return Content(f"{self.value} ◂▸" if self.has_focus else self.value)

    def action_turn(self, by: int) -> None:
        place = (self.words.index(self.value) + by) % len(self.words)
        self.value = self.words[place]
        self.post_message(self.Changed(self.field, self.value))

    def on_click(self) -> None:
        self.action_turn(1)


class ChangeForm(Vertical):
    """All rows: the object's fields, then how the release is run."""

    @dataclass
    class FieldChanged(Message):
        """A person typed another value into a field."""

        field: str
        value: str

    def __init__(self) -> None:
        super().__init__()
        self._shown: dict[str, str] = {}
        """What every field was last told to show."""

    def compose(self) -> ComposeResult:
        for row in FORM:
            yield from self._row(row, FieldInput(row, is_number=row.name not in ("repository", "version")))
        for row in OPTIONS:
            yield from self._row(row, ChoiceField(row, CHOICES[row.name]))

    def _row(self, row: FormRow, field: Widget) -> ComposeResult:
        field.styles.width = row.width
        with Horizontal(classes="form-row"):
            yield Static(row.label, classes="form-label", markup=False)
            yield field
            unit = Static(row.unit, classes="form-unit", markup=False)
            unit.styles.width = row.unit_width
            yield unit
            yield Static("", id=f"note-{row.name}", classes="form-note", markup=False)

    def show(self, edit: Edit, options: ReleaseOptions, seen: Seen) -> None:
        """Show the edit, the options, and what the fleet runs. Unreadable templates cannot be edited."""
        for field in self.query(FieldInput):
            field.disabled = not edit.is_readable
            field.seen = seen
        self.show_fields(edit.fields)
        for row in FORM:
            self._note(row.name, field_note(row, edit, seen))
        for row in OPTIONS:
            self.query_one(f"#field-{row.name}", ChoiceField).value = chosen(options, row.name)
            self._note(row.name, option_note(row.name, options, edit))

    def typed(self, name: str) -> str:
        """What stands in a field now."""
        return self.query_one(f"#field-{name}", FieldInput).value

    def show_fields(self, values: Mapping[str, str], *, is_forced: bool = False) -> None:
        """Show these values without taking them for typed ones.

        What is known already is not shown again, unless forced: news of the cluster must not undo a key that is still
        on its way to the edit.
        """
        for name, value in values.items():
            if value == self._shown.get(name) and not is_forced:
                continue
            self._shown[name] = value
            field = self.query_one(f"#field-{name}", FieldInput)
            if field.value != value:
                field.show(value)

    def _note(self, name: str, note: Line) -> None:
        """What stands behind a field."""
        widget, painted = self.query_one(f"#note-{name}", Static), paint.content(note)
        if widget.content != painted:
            widget.update(painted)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if isinstance(event.input, FieldInput):
            self.post_message(self.FieldChanged(event.input.field, event.value))
