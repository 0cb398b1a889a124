"""The app: holds the backend, hands its news to the visible screens and their messages to it.

News comes from the engine's thread as one message that replaces itself, never as a call that waits. Intents bubble up
to here and are handed on without waiting. Nothing that safety needs runs on this loop: a stalled terminal stops it.

The first frame needs Textual only: the screens that load the plot, YAML and highlighting are imported when they are
first opened, and the engine starts after the first frame is drawn.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import ClassVar

from rich.console import RenderableType
from textual import events
from textual.actions import ActionParseResult
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.filter import LineFilter, Monochrome, NoColor
from textual.reactive import Reactive
from textual.screen import Screen
from textual.theme import Theme
from textual.timer import Timer

from emqx_tui.model import units
from emqx_tui.runbook import SILENT, Runbook
from emqx_tui.session.backend import Backend
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.notice import NoticeKind
from emqx_tui.session.views.published import Published
from emqx_tui.ui.clusters.screen import ClustersScreen
from emqx_tui.ui.shell import clipboard, keymap, terminal
from emqx_tui.ui.shell.changed_cells import ChangedCells
from emqx_tui.ui.shell.confirm_card import ConfirmCard, before_dropping, before_quitting
from emqx_tui.ui.shell.help_screen import keys_help
from emqx_tui.ui.shell.keymap import KEYS, Area, Key
from emqx_tui.ui.shell.line_filters import AsciiFilter
from emqx_tui.ui.shell.messages import (
    ChangeWanted,
    EditPreviewWanted,
    InspectionEnded,
    InspectionWanted,
    IntentSubmitted,
    InventoryWanted,
    ObjectsWanted,
    PodWanted,
    RolloutWanted,
    SaveConfirmed,
    ViewsChanged,
    WordTyped,
)
from emqx_tui.ui.shell.notice_line import STANDS_S, Notice, Severity
from emqx_tui.ui.shell.palette import ConsoleCommands
from emqx_tui.ui.shell.person_call import PersonCall
from emqx_tui.ui.shell.screen import ConsoleScreen, TakesNews, not_sent
from emqx_tui.ui.shell.terminal import exit_on_signals, is_behind, suspend
from emqx_tui.ui.text import paint
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.themes import DARK, THEMES

logger = logging.getLogger(__name__)

UI = Path(__file__).parent
"""The folder of the style sheets: each lies with what it styles."""
BEHIND_S = 0.25
"""How long news waits for a terminal that is behind."""

SHOW_THROUGH_S = 2.0
"""Between two drawings of a screen below a card: a change there draws all of the screen anew, with the card on it."""


STYLES: list[str | PurePath] = [
    UI / "shell" / "emqx_tui.tcss",
    UI / "rollout" / "rollout.tcss",
    UI / "objects" / "objects.tcss",
]


class ConsoleApp(App[int]):
    """The console on a terminal. `run()` returns None; `return_code` is 0, or 128 + the signal that ended it."""

    TITLE = "emqx-tui"
    CSS_PATH: ClassVar = STYLES
    BINDINGS: ClassVar[list[BindingType]] = list(keymap.bindings(Area.EVERYWHERE))
    COMMANDS: ClassVar = {ConsoleCommands}
    COMMAND_PALETTE_BINDING = "colon"
    theme = Reactive(DARK.name)
    colour = ""
    has_time_keys = False
    wanted_context = ""
    """The context to go on with, once this console has ended; empty: none."""

    def __init__(
        self,
        backend: Backend,
        *,
        is_production: bool = False,
        theme: str = DARK.name,
        colour: str = "",
        is_ascii: bool = False,
        is_demo: bool = False,
        is_rehearsal: bool = False,
        opened: tuple[str, str] | None = None,
        state_dir: Path | None = None,
        write_report: Callable[[str, str, str], str] | None = None,
        contexts: Sequence[str] = (),
        first_words: str = "",
        runbook: Runbook = SILENT,
        keys: tuple[Key, ...] = KEYS,
    ) -> None:
        """`opened` = (namespace, name) of the cluster to begin with.

        `theme` is one of `themes.THEMES`, `colour` one of `themes.COLOURS` for the top line. `state_dir` is where a
        text goes that the terminal's clipboard cannot take. `write_report` writes that of a release, by the cluster's
        namespace and name and its own id, and says where, in one line; it may take a second. `contexts` can be changed
        to. `first_words` are told at the start.
        """
        super().__init__()
        keymap.use(keys)
        keymap.rebind(self._bindings)
        self.backend = backend
        fleet = backend.published().fleet
        self.published, self.news_at = Published(fleet), time.monotonic()
        self.context, self.server = fleet.context, fleet.server
        self.is_production = is_production
        self.colour = colour
        self.set_class(bool(colour), "-coloured")
        self.set_reactive(ConsoleApp.theme, theme)
        self.stylesheet.set_variables(self.get_css_variables())
        self.read_only_reason = "started with --read-only" if backend.is_read_only else ""
        self.is_ascii = is_ascii
        self.is_demo = is_demo
        self.is_rehearsal = is_rehearsal
        self.runbook = runbook
        self._opened = opened
        self._state_dir = state_dir
        self._write_report = write_report
        self.contexts = tuple(contexts)
        self._first_words = first_words
        self.namespaces: list[str] = [fleet.namespace] if fleet.namespace else []
        """Those that were looked at, in this order, then those that a cluster was seen in: keys 1 to 9."""
        self._note_namespaces()
        self._shown: tuple[str, str] | None = None
        self._call = PersonCall(self.context)
        self.notice: Notice | None = None
        self._notice_number = 0
        self._notice_timer: Timer | None = None
        self._is_waiting = False
        self._numbers = itertools.count(1)
        self._shown_through_at = 0.0
        self._cells = ChangedCells()

    # --- start and end ---------------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen:
        return ClustersScreen()

    def on_mount(self) -> None:
        exit_on_signals(self)
        terminal.save_title(self)
        terminal.set_title(self, self._call.title)
        self.app_resume_signal.subscribe(self, lambda _: self._cells.forget(), immediate=True)
        if self._opened:
            self._show_rollout(*self._opened)
        self.call_after_refresh(self.backend.start, self._on_change)
        if self._first_words:
            self.call_after_refresh(self.say, self._first_words, severity="warning")

    def on_unmount(self) -> None:
        self.backend.stop()
        terminal.restore_title(self)

    # --- news downwards --------------------------------------------------------------------------------------

    def _on_change(self) -> None:
        """Called from the engine's thread."""
        self.post_message(ViewsChanged())

    def on_views_changed(self) -> None:
        if is_behind(self):
            if not self._is_waiting:
                self._is_waiting = True
                self.set_timer(BEHIND_S, self._try_again)
            return
        self.published, self.news_at = self.backend.published(), time.monotonic()
        self._call.take(self, self.published.fleet.rows)
        self._note_namespaces()
        self._tell_notice()
        self.hand_out()

    def _try_again(self) -> None:
        self._is_waiting = False
        self.on_views_changed()

    def hand_out(self) -> None:
        """Give the newest to every screen that can be seen: the top one, and now and then what shows through it."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, TakesNews) and screen.is_mounted:
                screen.take(self.published)
            if not screen.is_modal or time.monotonic() - self._shown_through_at < SHOW_THROUGH_S:
                return
            self._shown_through_at = time.monotonic()

    def _note_namespaces(self) -> None:
        seen = {row.resource.namespace for row in self.published.fleet.rows}
        self.namespaces += sorted(seen.difference(self.namespaces))

    def look_at(self, namespace: str | None) -> None:
        """List another namespace, None = all; a release that this console drives goes on."""
        if namespace is not None and namespace not in self.namespaces:
            self.namespaces.insert(min(8, len(self.namespaces)), namespace)
        self.backend.look_at(namespace)

    def change_context(self, context: str) -> None:
        """End here, to begin anew with another context; refused while something would be left behind."""
        if self._is_driving():
            self.say(f"This console drives a release in {clean(self.context)}: it stays there.", severity="warning")
        elif unsent := self._unsent():
            self.say(f"{unsent} not sent: the console stays in {clean(self.context)}.", severity="warning")
        else:
            self.wanted_context = context
            self.exit(return_code=0)

    def _tell_notice(self) -> None:
        view = self.published.view
        if view and view.notice and view.notice_number != self._notice_number:
            self._notice_number = view.notice_number
            self.say(str(view.notice), severity="information" if view.notice.kind is NoticeKind.ACCEPTED else "warning")

    def bars(self) -> ComposeResult:
        return ()

    def say(self, text: str, *, severity: Severity = "information") -> None:
        """An answer that goes away by itself; the newest one stands alone. Never parsed as markup."""
        self._stand(Notice(text, severity))
        if self._notice_timer:
            self._notice_timer.stop()
        self._notice_timer = self.set_timer(STANDS_S[severity], lambda: self._stand(None))

    def retract(self, text: str) -> None:
        """Take an answer away before its time, as it is true no longer."""
        if self.notice is not None and self.notice.text == text:
            self._stand(None)

    def _stand(self, notice: Notice | None) -> None:
        self.notice = notice
        for screen in self.screen_stack:
            if isinstance(screen, TakesNews) and screen.is_mounted:
                screen.hear(notice)

    def copy(self, text: str, what: str) -> None:
        """Give a text to the terminal's clipboard, or write it to a file, and say which."""
        told = clipboard.copy(self, text, what, self._state_dir / "copied" if self._state_dir else None)
        self.say(told.text, severity=told.severity)

    def report(self, cluster: tuple[str, str], release_id: str) -> None:
        """Have the report of a release written, and say where it is."""
        write = self._write_report
        if write is None:
            self.say("no report: this console records nothing", severity="warning")
            return

        def make() -> None:
            try:
                words = write(*cluster, release_id)
            except Exception:  # a page that cannot be made must not end a console
                logger.exception("no report of %s/%s", *cluster)
                words = "no report: it could not be made, the program's log says why"
            self.call_from_thread(self.say, words)

        self.run_worker(make, thread=True, group="report")

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: Severity = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """What Textual itself has to say takes the same way: its own boxes would cover what has to be read."""
        self.say(f"{title}: {message}" if title else message, severity=severity)

    # --- wishes upwards --------------------------------------------------------------------------------------

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Tell the flight log of every key that is the console's own; what is typed is no action."""
        screen = self.screen if self.screen_stack else None
        is_done = await super().run_action(action, default_namespace, namespaces)
        name = action.rpartition(".")[2] if isinstance(action, str) else action[1]
        if is_done and isinstance(screen, ConsoleScreen) and keymap.find(screen.AREA, name) is not None:
            self.backend.pressed(name, str(screen.AREA))
        return is_done

    def on_word_typed(self, message: WordTyped) -> None:
        self.backend.pressed("word typed" if message.is_taken else "wrong word typed", "card")

    def on_intent_submitted(self, message: IntentSubmitted) -> None:
        if self.read_only_reason:
            self.say(not_sent(self.read_only_reason), severity="warning")
        else:
            self.backend.submit(message.intent)

    def on_edit_preview_wanted(self, message: EditPreviewWanted) -> None:
        self.backend.preview_edit(message.number, message.draft, message.options)

    @property
    def person(self) -> str:
        return self.backend.person()

    def next_number(self) -> int:
        return next(self._numbers)

    def on_save_confirmed(self, message: SaveConfirmed) -> None:
        if not self.read_only_reason:
            self.backend.save(message.draft)

    def on_pod_wanted(self, message: PodWanted) -> None:
        self.backend.inspect_pod(message.pod)

    def on_objects_wanted(self, message: ObjectsWanted) -> None:
        from emqx_tui.ui.objects.screen import ObjectsScreen

        self._show(ObjectsScreen(*message.cluster), *message.cluster)

    def on_inspection_wanted(self, message: InspectionWanted) -> None:
        self.backend.inspect(message.number, message.question)

    def on_inspection_ended(self, message: InspectionEnded) -> None:
        self.backend.stop_inspecting()

    def on_inventory_wanted(self, message: InventoryWanted) -> None:
        self.backend.take_inventory()

    def on_rollout_wanted(self, message: RolloutWanted) -> None:
        self._show_rollout(*message.cluster)

    def on_change_wanted(self, message: ChangeWanted) -> None:
        from emqx_tui.ui.change.screen import ChangeScreen

        self._show(ChangeScreen(*message.cluster), *message.cluster)

    def _show_rollout(self, namespace: str, name: str) -> None:
        from emqx_tui.ui.rollout.screen import RolloutScreen

        self._show(RolloutScreen(namespace, name), namespace, name)

    def _show(self, screen: ConsoleScreen, namespace: str, name: str) -> None:
        """Above the list there is one screen of one cluster; others of it may lie above its rollout screen."""
        if unsent := self._unsent():
            self.push_screen(
                ConfirmCard(before_dropping(unsent)),
                lambda sure: self._show_now(screen, namespace, name) if sure else None,
            )
        else:
            self._show_now(screen, namespace, name)

    def _show_now(self, screen: ConsoleScreen, namespace: str, name: str) -> None:
        below = self.screen
        is_above = screen.AREA in (Area.CHANGE, Area.OBJECTS)
        is_beside = is_above and isinstance(below, ConsoleScreen) and below.AREA is Area.ROLLOUT
        while len(self.screen_stack) > 1 and not (is_beside and self._shown == (namespace, name)):
            self.pop_screen()
        self._shown = (namespace, name)
        self.backend.open(namespace, name)
        self.push_screen(screen)

    # --- keys that work everywhere ---------------------------------------------------------------------------

    async def action_back(self) -> None:
        self.go_back()

    def go_back(self) -> None:
        """To the screen before; on the list of clusters none is looked at, and a session that drives goes on."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        if len(self.screen_stack) == 1:
            self.backend.close()
        self.hand_out()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return len(self.screen_stack) > 1 if action == "back" else super().check_action(action, parameters)

    def action_help(self) -> None:
        if isinstance(self.screen, ConsoleScreen):
            missing = self.screen.missing_rights()
            self.push_screen(keys_help(self.screen.AREA, self.read_only_reason, missing, cells=self.size.width))

    def action_redraw(self) -> None:
        self._cells.forget()
        self.refresh(repaint=True, layout=True)

    async def action_quit(self) -> None:
        question = before_quitting(is_driving=self._is_driving(), is_demo=self.is_demo, unsent=self._unsent())
        if question is None:
            self.exit(return_code=0)
        elif not isinstance(self.screen, ConfirmCard):
            self.push_screen(ConfirmCard(question), lambda sure: self.exit(return_code=0) if sure else None)

    def action_help_quit(self) -> None:
        """Ctrl-C leaves like `q` does."""
        self.run_worker(self.action_quit(), exclusive=True)

    def action_suspend(self) -> None:
        """Ctrl-Z: stop until the shell's `fg`. The engine stops, too: its lease lapses and others may take over."""
        before = time.monotonic()
        if why_not := suspend(self):
            self.say(f"The console cannot be suspended: {why_not}", severity="warning")
            return
        away = units.span(time.monotonic() - before)
        self.say(f"The console was suspended for {away}; it drove and checked nothing meanwhile.", severity="warning")

    def _unsent(self) -> str:
        screens = [screen for screen in self.screen_stack if isinstance(screen, ConsoleScreen)]
        return next((screen.unsent for screen in screens if screen.unsent), "")

    def _is_driving(self) -> bool:
        """Asks the engine: what the screens were last given is older on a slow terminal, and empty at the start."""
        newest = self.backend.published()
        view, fleet = newest.view, newest.fleet
        is_opened = view is not None and view.role is Role.DRIVER and view.has_duties
        return is_opened or fleet.is_driving or any(row.is_mine for row in fleet.rows)

    def _fatal_error(self) -> None:
        """A crash tells where it happened, and no value of any variable: templates and views can hold secrets."""
        from rich.segment import Segments
        from rich.traceback import Traceback

        self.bell()
        traceback = Traceback(show_locals=False, width=None)
        self._exit_renderables.append(Segments(self.console.render(traceback, self.console.options)))
        self._close_messages_no_wait()

    # --- drawing ---------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        self._cells.forget()

    @property
    def _background_screens(self) -> list[Screen]:
        """Textual counts what lies below an opaque screen as visible, and draws the opaque one anew with it."""
        stack = self._screen_stack
        return [] if stack and stack[-1].styles.background.a == 1 else super()._background_screens

    def _display(self, screen: Screen, renderable: RenderableType | None) -> None:
        super()._display(screen, self._cells.only_changed(renderable))

    # --- looks -----------------------------------------------------------------------------------------------

    @property
    def available_themes(self) -> dict[str, Theme]:
        """The console's own and no other: text is known to be readable in these."""
        return _THEMES

    def get_theme_variable_defaults(self) -> dict[str, str]:
        theme = THEMES[self.theme]
        return {"context": theme.contexts.get(self.colour, theme.panel)}

    def use_theme(self, name: str) -> None:
        """Change the colours, at once."""
        self.theme = name

    def get_line_filters(self) -> Sequence[LineFilter]:
        """NO_COLOR means no colours, not greys; --ascii means ASCII, borders included."""
        filters = [_NO_COLOR if isinstance(known, Monochrome) else known for known in super().get_line_filters()]
        return [*filters, _ASCII] if self.is_ascii else filters


_NO_COLOR, _ASCII = NoColor(), AsciiFilter()
_THEMES = {name: paint.textual_theme(theme) for name, theme in THEMES.items()}
