"""The rollout screen: is it safe, what happens next, what do I press. Before a release, the cluster's live view.

From top to bottom, on every size: identity and age of the figures, the steps, the status bar, the plot with legend and
checks, the nodes, the ledger, the log, the keys. The screen holds no rule: it shows a View and
sends intents; what an intent did is told by the next View.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input

from emqx_tui.rollout.intents import Freeze, Hold, Intent, Resume, SetPolicy, SetRates
from emqx_tui.rollout.policy import Approval
from emqx_tui.session.views import facts
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.published import Published
from emqx_tui.session.views.view import View
from emqx_tui.ui.cards.abort_card import renew_abort
from emqx_tui.ui.cards.approval import ApprovalCard
from emqx_tui.ui.cards.card import Renew
from emqx_tui.ui.cards.gate_card import renew_gate
from emqx_tui.ui.cards.policy_card import is_looser, renew_policy
from emqx_tui.ui.cards.resume_card import renew_resume
from emqx_tui.ui.cards.settings_cards import PolicyCard, RatesCard
from emqx_tui.ui.cards.take_over_card import renew_take_over
from emqx_tui.ui.cards.ungated_cards import renew_adoption, renew_brake
from emqx_tui.ui.rollout.connection_plot import ConnectionPlot, Legend
from emqx_tui.ui.rollout.event_log import EventLog
from emqx_tui.ui.rollout.headline import bar_lines, headline
from emqx_tui.ui.rollout.key_reasons import SENDING, key_reasons, rights_of
from emqx_tui.ui.rollout.layout import share, share_text
from emqx_tui.ui.rollout.lines import CheckList, CountsLine, GateLine, LedgerLine, NodeTable, StepRail
from emqx_tui.ui.rollout.names import driver_words, version_words
from emqx_tui.ui.rollout.node_card import NodeCard
from emqx_tui.ui.rollout.nodes import row_count
from emqx_tui.ui.rollout.summary import summary_lines
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.help_screen import MissingRight
from emqx_tui.ui.shell.identity import Identity, IdentityBar, view_live
from emqx_tui.ui.shell.key_line import KeyLine
from emqx_tui.ui.shell.keymap import Area
from emqx_tui.ui.shell.messages import ChangeWanted, IntentSubmitted, ObjectsWanted
from emqx_tui.ui.shell.screen import PLOT_WIDTH, WIDE, ConsoleScreen, is_text_only
from emqx_tui.ui.text.line_box import LineBox
from emqx_tui.ui.text.marks import clean, joined
from emqx_tui.ui.text.spans import EMPTY, Line, Tone, line, plain

PLOT_KEYS = frozenset({"cursor_back", "cursor_on", "cursor_first", "live"})
"""Actions of a cursor that is shown."""
LOG_KEYS = {"up": -1, "down": 1, "pageup": -10, "pagedown": 10, "home": -1_000_000, "end": 1_000_000}


class SearchInput(Input):
    """The search in the log, while it is typed. Enter keeps it, escape drops it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "keep the search"),
        Binding("escape", "screen.drop_search", "drop it"),
    ]


class Side(Vertical):
    """Legend and checks beside the plot, or below it: how they share its rows is known once it has its size."""

    class Resized(Message):
        """It has another size."""

    def on_resize(self) -> None:
        self.post_message(self.Resized())


class RolloutScreen(ConsoleScreen):
    """One cluster: its release when one runs, its nodes otherwise."""

    AREA = Area.ROLLOUT
    AUTO_FOCUS = ""  # the search takes the letters of keys while it has the focus
    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.bindings(Area.ROLLOUT),
        Binding("escape", "leave", "back"),
        *(Binding(key, f"scroll_log({lines})", show=False) for key, lines in LOG_KEYS.items()),
    ]

    def __init__(self, namespace: str, name: str) -> None:
        super().__init__()
        self._namespace, self._name = namespace, name
        self._view: View | None = None
        self._reasons: dict[str, str] = key_reasons(None)
        self._is_asked = False
        """The question of a release that nobody drives was put since this screen was opened."""

    # --- layout ---

    def compose(self) -> ComposeResult:
        yield IdentityBar()
        yield from self.compose_notice()
        yield StepRail()
        yield GateLine()
        yield LineBox(id="summary")
        with Horizontal(id="picture"):
            yield ConnectionPlot()
            with Side(id="side"):
                yield Legend()
                yield CheckList()
        yield LineBox(id="cursor")
        yield CountsLine()
        yield NodeTable()
        yield LedgerLine()
        yield EventLog()
        yield SearchInput(placeholder="words, !word leaves out", compact=True, id="search")
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(GateLine).set_lines([line((" reading the cluster…", Tone.WAIT))])

    def on_screen_resume(self) -> None:
        self._view = None

    def on_resize(self, event: events.Resize) -> None:
        self._arrange()

    def _arrange(self) -> None:
        """Share out the rows: how many there are decides, which a stylesheet cannot know."""
        view = self._view
        rows = row_count(view) if view else 3
        summary = len(self._summary())
        bar = len(bar_lines(headline(view), self.size.width)) if view else 2
        self.query_one(GateLine).styles.height = bar
        is_text = is_text_only(self.size)
        heights = (share_text if is_text else share)(self.size.height, bar, rows, summary)
        log = self.query_one(EventLog)
        self.query_one("#summary").styles.height = heights.summary
        cursor = 0 if is_text else len(self.query_one("#cursor", LineBox).lines)
        plot = (self.query_one("#picture"), heights.plot - cursor), (self.query_one("#cursor"), cursor)
        for part, height in (*plot, (self.query_one(NodeTable), heights.table)):
            part.display = not log.is_long and height > 0
            part.styles.height = height
        searching = self.query_one(SearchInput).display
        log.styles.height = heights.log + (heights.plot + heights.table if log.is_long else 0) - searching

    def _summary(self) -> list[Line]:
        return summary_lines(self._view, self.size.width) if self._view else []

    # --- news ---

    def take(self, published: Published) -> None:
        view = published.view
        is_mine = view is not None and (view.snapshot.namespace, view.snapshot.name) == (self._namespace, self._name)
        before, self._view = self._view, view if is_mine else None
        self.query_one(IdentityBar).tell(self._identity)
        if before is not None and self._view is before:
            # News of other clusters, or of an edit.
            return
        reasons = key_reasons(self._view, bool(self.console.read_only_reason))
        self._arrange()
        self._show()
        if reasons != self._reasons:
            self._reasons = reasons
            self.refresh_bindings()
        if self._view and not self._is_asked and self.is_current and _is_nobodys(self._view):
            self._is_asked = True
            self.action_take_over()

    def _show(self) -> None:
        view = self._view
        if view is None or not self.is_mounted:
            return
        for part in (StepRail, GateLine, CountsLine, NodeTable, LedgerLine, EventLog, ConnectionPlot, CheckList):
            self.query_one(part).show(view)
        self.query_one("#summary", LineBox).set_lines(self._summary())
        self._show_legend()
        self._show_cursor()

    def _show_legend(self) -> None:
        if self._view is None:
            return
        plot, legend = self.query_one(ConnectionPlot), self.query_one(Legend)
        legend.show(plot, self._view)
        room = self.query_one("#side").size.height
        # The worst check stays in sight.
        legend.styles.height = max(2, min(legend.wanted, room - 1))

    def on_side_resized(self) -> None:
        self._show_legend()

    def _show_cursor(self) -> None:
        """What was then, below the plot; as many rows of it are left to the plot without a cursor."""
        box = self.query_one("#cursor", LineBox)
        before = len(box.lines)
        box.set_lines(self.query_one(ConnectionPlot).cursor_lines(self.size.width))
        if len(box.lines) != before:
            self._arrange()

    def _identity(self, quiet_s: float) -> Identity:
        view = self._view
        return self.identity(
            self._namespace,
            self._name,
            live=view_live(view, quiet_s),
            server=self.console.server if self.size.width >= WIDE else "",
            middle=_middle(view) if view else (),
            short_middle=_short_middle(view, self.size.width) if view else (),
        )

    # --- keys ---

    def can(self, action: str) -> bool:
        return not self._reasons.get(action)

    def missing_rights(self) -> tuple[MissingRight, ...]:
        return rights_of(self._view) if self._view else ()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in (*PLOT_KEYS, "window", "cursor", "per_node") and is_text_only(self.size):
            return False
        if action in PLOT_KEYS:
            return self._is_cursors(action)
        if action == "scroll_log":
            is_step = abs(int(str(parameters[0]))) == 1
            return (is_step or self.query_one(EventLog).is_long) and not isinstance(self.focused, Input)
        if action == "inspect":
            return not self.query_one(EventLog).is_long
        if action == "approve" and self._view and self._view.decision.gate and self._reasons["approve"]:
            return None
        return super().check_action(action, parameters)

    def on_key(self, event: events.Key) -> None:
        """A key that does nothing now says why."""
        key = next((key for key in keymap.keys_of(self.AREA) if key.key == event.key), None)
        reason = self._reasons.get(key.action) if key else ""
        if key and reason:
            self.console.say(f"{key.label}: {reason}", severity="warning" if key.action in SENDING else "information")

    def _send(self, intent: Intent) -> None:
        self.post_message(IntentSubmitted(intent))

    @property
    def _person(self) -> str:
        return self.console.person

    def action_hold(self) -> None:
        """A release of the operator's own is stopped by a card that says what that does."""
        if self._is_ungated:
            self._open(renew_brake)
        else:
            self._send(Hold(self._person))

    @property
    def _is_ungated(self) -> bool:
        return self._view is not None and facts.ungated(self._view) is not None

    def action_freeze(self) -> None:
        self._send(Freeze(self._person))

    def action_resume(self) -> None:
        """A check's hold is lifted by a card that says what that accepts."""
        journal = self._view.journal if self._view else None
        if journal and journal.hold and journal.hold.check:
            self._open(renew_resume)
        else:
            self._send(Resume(self._person))

    def action_take_over(self) -> None:
        self._open(renew_adoption if self._is_ungated else renew_take_over)

    def action_approve(self) -> None:
        if self._view and self._view.decision.gate:
            self._open(renew_gate(self._view.decision.gate.id, self.console.runbook))

    def action_abort(self) -> None:
        self._open(renew_adoption if self._is_ungated else renew_abort)

    def _open(self, renew: Renew) -> None:
        place = " ▸ ".join(clean(part) for part in (self.console.context, self._namespace, self._name))
        card = ApprovalCard(
            renew,
            self._view,
            self.console.published.edit_preview,
            by=self._person,
            place=place,
            read_only_reason=self.console.read_only_reason,
        )
        self.app.push_screen(card)

    def action_speed(self) -> None:
        if self._view and self._view.journal:
            blue = self._view.snapshot.blue
            self.app.push_screen(
                RatesCard(self._view.journal.rates, blue.live_connections if blue else None), self._rates
            )

    def _rates(self, values: tuple[int, int] | None) -> None:
        if values:
            self._send(SetRates(self._person, *values))

    def action_policy(self) -> None:
        if self._view and (journal := self._view.journal):
            card = PolicyCard(journal.approval, is_cut_over_approved=journal.is_cut_over_approved)
            self.app.push_screen(card, self._policy)

    def _policy(self, wanted: Approval | None) -> None:
        journal = self._view.journal if self._view else None
        if wanted is None or journal is None or wanted is journal.approval:
            return
        if is_looser(wanted, journal.approval):
            self._open(renew_policy(wanted))
        else:
            self._send(SetPolicy(self._person, wanted.value))

    def _is_cursors(self, action: str) -> bool:
        """The cursor has these keys while it is shown; where nothing else has it, the left one shows it."""
        if self.query_one(EventLog).is_long or isinstance(self.focused, Input):
            return False
        is_shown = any(plot.cursor_s is not None for plot in self.query(ConnectionPlot))
        return is_shown or (action == "cursor_back" and not self.console.has_time_keys)

    def action_window(self) -> None:
        if not self.query_one(ConnectionPlot).next_window():
            self.console.say("the plot shows all that there is: it is less than 3 minutes")
        self._show_legend()
        self._show_cursor()

    def action_cursor(self) -> None:
        plot = self.query_one(ConnectionPlot)
        if plot.cursor_s is None:
            plot.move_cursor(-1)
        else:
            plot.put_cursor(None)
        self._show_cursor()

    def action_cursor_back(self) -> None:
        self.query_one(ConnectionPlot).move_cursor(-1)
        self._show_cursor()

    def action_cursor_on(self) -> None:
        self.query_one(ConnectionPlot).move_cursor(1)
        self._show_cursor()

    def action_cursor_first(self) -> None:
        self.query_one(ConnectionPlot).first_cursor()
        self._show_cursor()

    def action_live(self) -> None:
        self.query_one(ConnectionPlot).put_cursor(None)
        self._show_cursor()

    def action_per_node(self) -> None:
        self.query_one(ConnectionPlot).toggle()
        self._show_legend()
        self._show_cursor()

    def action_log(self) -> None:
        log = self.query_one(EventLog)
        log.enlarge(not log.is_long)
        self.query_one(SearchInput).value = ""
        self._arrange()

    def action_scroll_log(self, lines: int) -> None:
        """Move in the enlarged log, or else among the nodes."""
        if self.query_one(EventLog).is_long:
            self.query_one(EventLog).move(lines)
        else:
            self.query_one(NodeTable).move(lines)

    def action_inspect(self) -> None:
        if pod := self.query_one(NodeTable).wanted():
            self.app.push_screen(NodeCard(pod, self.console.published))

    def action_search_log(self) -> None:
        self._open_log()
        box = self.query_one(SearchInput)
        box.display = True
        self._arrange()
        box.focus()

    def action_warnings(self) -> None:
        self._open_log()
        self.query_one(EventLog).toggle_warnings()

    def action_command(self) -> None:
        self._open_log()
        self.query_one(EventLog).toggle_command()

    def _open_log(self) -> None:
        if not self.query_one(EventLog).is_long:
            self.action_log()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one(EventLog).search(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._leave_search()

    def action_drop_search(self) -> None:
        self.query_one(SearchInput).value = ""
        self._leave_search()

    def _leave_search(self) -> None:
        self.query_one(SearchInput).display = False
        self._arrange()
        self.set_focus(None)

    def action_leave(self) -> None:
        if self.query_one(EventLog).words:
            self.action_drop_search()
        elif self.query_one(EventLog).is_long:
            self.action_log()
        elif self.query_one(ConnectionPlot).cursor_s is not None:
            self.action_live()
        else:
            self.console.go_back()

    def action_change(self) -> None:
        self.post_message(ChangeWanted((self._namespace, self._name)))

    def action_report(self) -> None:
        if self._view and self._view.journal:
            self.console.report((self._namespace, self._name), self._view.journal.release_id)

    def action_objects(self) -> None:
        self.post_message(ObjectsWanted((self._namespace, self._name)))


def _is_nobodys(view: View) -> bool:
    """Nothing goes on until somebody takes it over."""
    found = facts.ungated(view)
    return view.is_undriven or (found is not None and found.is_stopped and view.role is not Role.WATCH_ONLY)


def _middle(view: View) -> Line:
    return _beside(_versions(view), _policy(view, "policy "), line((driver_words(view), Tone.DIM)))


def _short_middle(view: View, cells: int) -> Line:
    """The policy, where names have room beside it; the driver too, where it is another console."""
    policy = _policy(view)
    is_ours = view.role is Role.DRIVER
    if not policy or (is_ours and cells < PLOT_WIDTH):
        return EMPTY
    return _beside(policy, _versions(view) if is_ours else line((driver_words(view), Tone.DIM)))


def _beside(*parts: Line) -> Line:
    return joined([part for part in parts if plain(part)], "  ")


def _versions(view: View) -> Line:
    return line((version_words(view), Tone.STRONG))


def _policy(view: View, label: str = "") -> Line:
    """Which gates need a person; loud where none does."""
    if view.journal is None or not facts.is_under_way(view):
        return EMPTY
    approval = view.journal.approval
    if approval is Approval.AUTO:
        return line((f" {label}AUTO ", Tone.CALL))
    return line(f"{label}{approval.value}")
