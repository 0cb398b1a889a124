"""The change screen: form and template of one cluster, kept in step, and what the edit would do before it is sent.

It owns the edit and nothing else: the preview is asked for by message, and the approval card starts the release.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.timer import Timer
from textual.widgets import Static, TextArea

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.rollout.change import ReleaseOptions, Verdict
from emqx_tui.rollout.decision import Outcome
from emqx_tui.session.inspection.questions import Answer, ReadSchema
from emqx_tui.session.views.published import Published
from emqx_tui.session.views.view import View
from emqx_tui.ui.cards.approval import ApprovalCard
from emqx_tui.ui.cards.start_card import renew_start
from emqx_tui.ui.change import external_editor
from emqx_tui.ui.change.accept_row import AcceptRow
from emqx_tui.ui.change.differences import difference_lines, place, problem_line
from emqx_tui.ui.change.edit import PATHS, Edit
from emqx_tui.ui.change.field_help import field_lines
from emqx_tui.ui.change.form import ChangeForm, ChoiceField, FieldInput
from emqx_tui.ui.change.form_rows import choosing, seen_in
from emqx_tui.ui.change.history import History
from emqx_tui.ui.change.outcome import VERDICTS, head_line
from emqx_tui.ui.change.outcome_panel import OutcomePanel
from emqx_tui.ui.change.preview import Preview
from emqx_tui.ui.change.readiness import UNANSWERED, acceptable, why_not
from emqx_tui.ui.change.save_card import SaveCard
from emqx_tui.ui.change.template_editor import TemplateEditor
from emqx_tui.ui.change.yaml_document import Path, Uneditable
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.help_screen import MissingRight
from emqx_tui.ui.shell.identity import Identity, IdentityBar, fleet_live, view_live
from emqx_tui.ui.shell.key_line import KeyLine
from emqx_tui.ui.shell.keymap import Area
from emqx_tui.ui.shell.messages import EditPreviewWanted, InspectionWanted, RolloutWanted, SaveConfirmed
from emqx_tui.ui.shell.screen import WIDE, ConsoleScreen
from emqx_tui.ui.text import paint
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.owners import owned_lines
from emqx_tui.ui.text.spans import Line, Tone, line, wrap

PANES = ("form", "template", "diff")
CARD_WIDTH = 64
UNSAVED = "There are unsaved changes: press esc again to drop them."
TALL, HELP_ROWS = 30, 2
"""From this many rows on the help of a field may take two."""


class ChangeScreen(ConsoleScreen):
    """Edit, preview, start."""

    AREA = Area.CHANGE
    ASK_AFTER_S: ClassVar[float] = 0.4
    """Wall seconds without a key before the server is asked."""
    READ_AFTER_S: ClassVar[float] = 0.15
    """Wall seconds without a key before a typed text is read."""
    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.bindings(Area.CHANGE),
        Binding("escape", "leave", "back"),
    ]

    def __init__(self, namespace: str, name: str) -> None:
        super().__init__()
        self._key = (namespace, name)
        self._help: Answer | None = None
        self._help_number = 0
        self._edit: Edit | None = None
        self._history = History()
        self._options = ReleaseOptions()
        self._accepted: frozenset[str] = frozenset()
        self._preview = Preview()
        self._pane = "form"
        self._is_stale = False
        self._is_warned = False
        self._is_sent = False
        """The edit was handed over as it is: nothing of it would be lost."""
        self._is_wanted = False
        """The start was asked for before the server had answered; its card opens when it has."""
        self._reading: Timer | None = None
        self._asking: Timer | None = None

    def compose(self) -> ComposeResult:
        yield IdentityBar()
        yield from self.compose_notice()
        yield Static("", id="head", markup=False)
        with Horizontal(id="panes"):
            with Vertical(id="form-pane"):
                yield ChangeForm()
                yield OutcomePanel()
            with Vertical(id="template-pane"):
                yield TemplateEditor()
                yield Static("", id="text-problems", markup=False)
            with VerticalScroll(id="diff-pane"):
                yield Static("", id="differences", markup=False)
        yield Static("", id="field-help", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        self._show_pane("form")
        self._help_number = self.console.next_number()
        self.post_message(InspectionWanted(self._help_number, ReadSchema()))

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._show)

    # --- news ------------------------------------------------------------------------------------------------

    def take(self, published: Published) -> None:
        self.query_one(IdentityBar).tell(self._identity)
        rows = {(row.resource.namespace, row.resource.name): row for row in published.fleet.rows}
        row = rows.get(self._key)
        if row is not None and not row.unreadable:
            self._follow(row.resource)
            if self._edit is not None and self._edit.is_left is not row.is_left:
                self._edit = replace(self._edit, is_left=row.is_left)
        self._preview.take(published.edit_preview)
        if published.answer and published.answer.number == self._help_number:
            self._help = published.answer
        if row is None and published.fleet.is_synced:
            self.query_one(OutcomePanel).say(line(("✘ This cluster no longer exists.", Tone.BAD)))
        elif row is not None and row.unreadable:
            self.query_one(OutcomePanel).say(line((f"✘ {clean(row.problem)}", Tone.BAD)))
        elif self._edit is None:
            self.query_one(OutcomePanel).say(line(("◌ Reading the cluster…", Tone.WAIT)))
        else:
            self._show()
            self._go_on()

    def _go_on(self) -> None:
        """Open the card that a person waits for."""
        if self._is_wanted and self._preview.answer is not None and self.app.screen is self:
            self.action_start()

    def _follow(self, resource: EmqxEnterprise) -> None:
        """Compare with the object as it is now, and say so when somebody else changed what is edited."""
        edit = self._edit
        if edit is None:
            self._edit = Edit.of(resource)
            return
        was = edit.original
        if resource.meta.resource_version == was.meta.resource_version:
            return
        is_same = (resource.template_mark, resource.blue_green) == (was.template_mark, was.blue_green)
        if not is_same and not edit.is_changed:
            self._edit, self._history = Edit.of(resource), History()
            return
        self._edit = edit.rebased(resource)
        self._is_stale = self._edit.is_changed and (self._is_stale or not is_same)
        if self._edit.is_changed:
            self._ask_later(is_same_content=is_same)

    @property
    def unsent(self) -> str:
        self._read_editor()
        edit = self._edit
        if edit is None or not edit.is_changed or self._is_sent:
            return ""
        number = len(edit.change.differences) if edit.change else 0
        counted = "1 change is" if number == 1 else f"{number} changes are" if number else "Edits are"
        return f"{'/'.join(clean(part) for part in self._key)}: {counted}"

    def _set(self, edit: Edit, place: str) -> None:
        """A person edited something in the form, in the template, or at once."""
        if self._edit is not None:
            self._history = self._history.edited(self._edit.text, place, time.monotonic())
        self._put(edit)

    def _put(self, edit: Edit) -> None:
        self._edit = edit
        self._is_stale = self._is_stale and edit.is_changed
        if self._is_warned:
            self.console.retract(UNSAVED)
        self._is_warned = self._is_wanted = self._is_sent = False
        self._ask_later(is_same_content=False)
        self._show()

    # --- asking ----------------------------------------------------------------------------------------------

    def _ask_later(self, *, is_same_content: bool) -> None:
        if not is_same_content:
            self._preview.forget()
        if self._asking:
            self._asking.stop()
        self._asking = self.set_timer(self.ASK_AFTER_S, self._ask)

    def _ask(self) -> None:
        edit = self._edit
        if edit is None or edit.draft is None or edit.change is None or self.app.screen is not self:
            return
        if edit.change.verdict in (Verdict.UNCHANGED, Verdict.REFUSED):
            return
        number = self.console.next_number()
        self._preview.asked(number)
        self.post_message(EditPreviewWanted(number, edit.draft, self._options))

    # --- drawing ---------------------------------------------------------------------------------------------

    @property
    def _view(self) -> View | None:
        view = self.console.published.view
        return view if view and (view.snapshot.namespace, view.snapshot.name) == self._key else None

    def _identity(self, quiet_s: float) -> Identity:
        view = self._view
        live = view_live(view, quiet_s) if view else fleet_live(self.console.published.fleet, quiet_s)
        return self.identity(*self._key, live=live, server=self.console.server)

    def _show(self) -> None:
        edit = self._edit
        if edit is None or not self.is_mounted:
            return
        self._show_head()
        seen = seen_in(self.console.published.fleet.rows)
        self.query_one(ChangeForm).show(edit, self._options, seen)
        if self._pane == "form" and self.focused is None:
            # The fields of a template that could not be read took no focus.
            self.query_one("#field-version").focus()
        editor = self.query_one(TemplateEditor)
        editor.seen = seen
        if not self._reading:
            editor.show_text(edit.text)
        self.query_one(OutcomePanel).show(edit, self._preview.answer, self._accepted, is_wanted=self._is_wanted)
        problems = [problem_line(problem) for problem in edit.problems[:3]]
        self._update("#text-problems", problems)
        width = max(20, self.query_one("#diff-pane").scrollable_content_region.width - 1)
        self._update("#differences", difference_lines(edit, self._preview.answer, width))
        self._show_help()
        self.refresh_bindings()

    def _show_help(self) -> None:
        """What the field under the cursor means, and who owns it."""
        edit, most = self._edit, HELP_ROWS if self.size.height >= TALL else 1
        if edit is not None and self.is_mounted:
            told = field_lines(self._path, self._help, edit.original.owners, self.size.width - 2, most)
            self._update("#field-help", told)

    @property
    def _path(self) -> Path:
        match self.focused:
            case FieldInput(field=name):
                return PATHS[name]
            case TemplateEditor(field_path=path):
                return path
            case _:
                return ()

    def _show_head(self) -> None:
        is_wide = self.size.width >= WIDE
        focused = self.focused
        is_typing = isinstance(focused, TemplateEditor) or (isinstance(focused, FieldInput) and focused.is_editing)
        head = head_line(
            self._pane,
            self._edit,
            is_wide=is_wide,
            is_stale=self._is_stale,
            is_typing=is_typing,
            width=self.size.width,
        )
        self._update("#head", [head])

    def _update(self, selector: str, lines: list[Line]) -> None:
        widget, painted = self.query_one(selector, Static), paint.content(*lines)
        widget.display = bool(lines)
        if widget.content != painted:
            widget.update(painted)

    def _show_pane(self, pane: str) -> None:
        self._pane = pane
        for name in PANES:
            self.set_class(name == pane, f"-shows-{name}")
        first: dict[str, Callable[[], object]] = {
            "form": self.query_one("#field-version").focus,
            "template": self.query_one(TemplateEditor).focus,
            "diff": self.query_one("#diff-pane").focus,
        }
        first[pane]()
        self._show_head()
        self.refresh_bindings()

    def on_descendant_focus(self) -> None:
        self._show_help()
        self._show_head()

    def on_field_input_typing_changed(self, message: FieldInput.TypingChanged) -> None:
        message.stop()
        self._show_head()

    def on_text_area_selection_changed(self, event: TextArea.SelectionChanged) -> None:
        event.stop()
        self._show_help()

    # --- edits -----------------------------------------------------------------------------------------------

    def on_change_form_field_changed(self, message: ChangeForm.FieldChanged) -> None:
        self._read_editor()
        form = self.query_one(ChangeForm)
        if self._edit is None or message.value != form.typed(message.field):
            # The next key was typed already: its message is the newer one.
            return
        try:
            self._set(self._edit.with_field(message.field, message.value), message.field)
        except Uneditable as error:
            self.console.say(str(error), severity="warning")
            form.show_fields(self._edit.fields, is_forced=True)

    def on_choice_field_changed(self, message: ChoiceField.Changed) -> None:
        self._options = choosing(self._options, message.field, message.value)
        self._is_wanted = False
        self._ask_later(is_same_content=False)
        self._show()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        if self._reading:
            self._reading.stop()
        self._reading = self.set_timer(self.READ_AFTER_S, self._read_editor)

    def _read_editor(self) -> None:
        """Take over what was typed into the editor and not read yet."""
        if not self._reading or self._edit is None:
            return
        self._reading.stop()
        self._reading = None
        self._take_text(self.query_one(TemplateEditor).text)

    def _take_text(self, text: str) -> None:
        if self._edit is not None and text != self._edit.text:
            self._set(self._edit.with_text(text), "template")

    def on_accept_row_changed(self, message: AcceptRow.Changed) -> None:
        named = {message.check}
        self._accepted = self._accepted | named if message.is_accepted else self._accepted - named
        self._show()

    # --- keys ------------------------------------------------------------------------------------------------

    def can(self, action: str) -> bool:
        edit = self._edit
        match action:
            case "start" | "undo_all":
                return edit is not None and edit.is_changed
            case "undo":
                return bool(self._history.past)
            case "redo":
                return bool(self._history.future)
            case _ if action.startswith("show_"):
                return self._pane != action.removeprefix("show_")
            case _:
                return edit is not None

    def missing_rights(self) -> tuple[MissingRight, ...]:
        checks = self._preview.answer.checks if self._preview.answer else ()
        lacking = [check for check in checks if check.name.startswith("right-") and check.outcome is Outcome.FAIL]
        return tuple(MissingRight(f"{check.name}: {check.evidence}", ("start",)) for check in lacking)

    def action_show_form(self) -> None:
        self._show_pane("form")

    def action_show_template(self) -> None:
        self._show_pane("template")

    def action_show_diff(self) -> None:
        self._read_editor()
        self._show_pane("diff")

    def action_step(self, rows: int) -> None:
        """To the row above or below; the first and the last one are ends."""
        form = self.query_one("#form-pane")
        chain = [each for each in self.focus_chain if form in each.ancestors]
        if self.focused in chain:
            chain[max(0, min(chain.index(self.focused) + rows, len(chain) - 1))].focus()

    def action_leave_editor(self) -> None:
        self._read_editor()
        self._show_pane("form")

    def action_undo(self) -> None:
        self._travel(History.undo)

    def action_redo(self) -> None:
        self._travel(History.redo)

    def _travel(self, move: Callable[[History, str], tuple[str, History]]) -> None:
        self._read_editor()
        if self._edit is not None:
            text, self._history = move(self._history, self._edit.text)
            self._put(self._edit.with_text(text))

    def action_undo_all(self) -> None:
        self._read_editor()
        if self._edit is not None:
            self._accepted = frozenset()
            self._set(Edit.of(self._edit.original), "all")

    def action_leave(self) -> None:
        self._read_editor()
        self._is_wanted = False
        if self.unsent and not self._is_warned:
            self._is_warned = True
            self.console.say(UNSAVED, severity="warning")
            return
        self.console.retract(UNSAVED)
        self.console.go_back()

    def action_open_editor(self) -> None:
        self._read_editor()
        if self._edit is None:
            return
        try:
            self._take_text(external_editor.run(self.app, self._edit.text, name=f"{self._key[1]}.yaml"))
        except external_editor.EditorFailed as error:
            self.console.say(str(error), severity="warning")
            return
        if not self._edit.is_readable:
            problem = self._edit.problems[0]
            told = ": ".join(filter(None, ("The text was kept but is not valid", place(problem), problem.sentence)))
            self.console.say(told, severity="warning")
            self._show_pane("template")
            self.query_one(TemplateEditor).go_to(problem.line or 1, problem.column or 1)

    def action_start(self) -> None:
        self._read_editor()
        reason = why_not(self._edit, self._preview.answer, self._accepted)
        self._is_wanted = reason == UNANSWERED
        if self._is_wanted:
            self._show()
            self.console.say(f"Not yet: {reason}; the card opens when it has")
            return
        if reason or self._edit is None or self._edit.change is None or self._preview.answer is None:
            self.console.say(f"Not yet: {reason}", severity="warning")
            return
        if self._edit.change.verdict is not Verdict.STARTS_RELEASE:
            verdict = line(VERDICTS[self._edit.change.verdict].span)
            owners = [part for told in owned_lines(self._edit.change.owned) for part in wrap(told, CARD_WIDTH)]
            differences = difference_lines(self._edit, self._preview.answer, CARD_WIDTH)
            self.app.push_screen(SaveCard(verdict, [*owners, *differences]), self._on_saved)
            return
        failing = {check.name for check in acceptable(self._preview.answer)}
        card = ApprovalCard(
            renew_start(self._preview.answer, tuple(sorted(self._accepted & failing)), self.console.runbook),
            self._view,
            self._preview.answer,
            by=self.console.person,
            place=" ▸ ".join(clean(part) for part in (self.console.context, *self._key)),
            read_only_reason=self.console.read_only_reason,
        )
        self.app.push_screen(card, self._on_started)

    def _on_saved(self, is_sure: bool | None) -> None:
        if is_sure and self._edit is not None and self._edit.draft is not None:
            self._is_sent = True
            self.post_message(SaveConfirmed(self._edit.draft))

    def _on_started(self, is_sent: bool | None) -> None:
        if is_sent:
            self._is_sent = True
            self.post_message(RolloutWanted(self._key))
