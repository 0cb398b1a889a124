"""Two small cards of the rollout screen: other rates, and who is asked at which gate.

Neither sends anything by accident: rates are sent by Enter on two valid numbers that differ from those that run; a
looser policy goes on to an approval card with a word to type, a stricter one is taken at once.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from emqx_tui.model.units import clock_span, plural
from emqx_tui.rollout.change import INT32_MAX, Rates
from emqx_tui.rollout.policy import Approval
from emqx_tui.ui.cards.policy_card import policy_words
from emqx_tui.ui.text.line_box import LineBox
from emqx_tui.ui.text.spans import Tone, line


class RatesCard(ModalScreen[tuple[int, int] | None]):
    """Dismisses with (connections, sessions) per second, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "not now")]

    def __init__(self, rates: Rates, left: int | None) -> None:
        """`rates` are in force; `left` clients are still on blue, None while unknown."""
        super().__init__()
        self._rates, self._left = rates, left

    def compose(self) -> ComposeResult:
        with Vertical(classes="card"):
            yield Static("Drain with other rates", classes="card-title", markup=False)
            yield Static("Connections per second and node, 1 or more", markup=False)
            yield Input(str(self._rates.conn_evict_rate_per_s), type="integer", compact=True, id="conn-rate")
            yield Static("Sessions per second and node, 1 or more", markup=False)
            yield Input(str(self._rates.sess_evict_rate_per_s), type="integer", compact=True, id="sess-rate")
            yield Static("", id="rates-answer", markup=False)
            yield Static("enter takes them   tab next field   esc not now", classes="dim", markup=False)

    def on_mount(self) -> None:
        self.query_one("#conn-rate", Input).focus()
        self._tell()

    def on_input_changed(self) -> None:
        self._tell()

    def values(self) -> tuple[int, int] | None:
        """Both rates, None while one is not a number from 1 on."""
        texts = [self.query_one(f"#{field}", Input).value for field in ("conn-rate", "sess-rate")]
        if not all(text.isdecimal() and len(text) < 12 for text in texts):
            return None
        conn, sess = (int(text) for text in texts)
        return (conn, sess) if 1 <= conn <= INT32_MAX and 1 <= sess <= INT32_MAX else None

    def _tell(self) -> None:
        values = self.values()
        if values is None:
            answer = "Both have to be whole numbers from 1 on: a rate of 0 would never end."
        elif values == (self._rates.conn_evict_rate_per_s, self._rates.sess_evict_rate_per_s):
            answer = "These rates are in force."
        elif self._left is not None:
            took = clock_span(self._left / values[0])
            left = plural(self._left, "client")
            answer = f"A drain that runs is stopped and started anew. {left} on blue: {took} in all."
        else:
            answer = "A drain that runs is stopped and started anew."
        self.query_one("#rates-answer", Static).update(answer)

    def on_input_submitted(self) -> None:
        values = self.values()
        if values and values != (self._rates.conn_evict_rate_per_s, self._rates.sess_evict_rate_per_s):
            self.dismiss(values)

    def action_leave(self) -> None:
        self.dismiss(None)


class PolicyCard(ModalScreen[Approval | None]):
    """Dismisses with the policy that was chosen, or None. The caller asks for a word when it is a looser one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "not now")]
    CHOICES: ClassVar[tuple[Approval, ...]] = (Approval.EVERY_NODE, Approval.CUT_OVER, Approval.AUTO)

    def __init__(self, now: Approval, *, is_cut_over_approved: bool) -> None:
        super().__init__()
        self._now, self._is_cut_over_approved = now, is_cut_over_approved

    def compose(self) -> ComposeResult:
        with Vertical(classes="card"):
            yield Static("Who is asked from here on", classes="card-title", markup=False)
            yield LineBox(id="choices")
            yield Static("1 2 3 choose   esc not now", classes="dim", markup=False)

    def on_mount(self) -> None:
        box = self.query_one(LineBox)
        box.styles.height = 2 * len(self.CHOICES)
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        lines = []
        for number, choice in enumerate(self.CHOICES, 1):
            now = "   (now)" if choice is self._now else ""
            lines.append(line((f"{number} ", Tone.KEY), (choice.value, Tone.STRONG), now))
            words = policy_words(choice, is_cut_over_approved=self._is_cut_over_approved)
            lines.append(line((f"  {words}", Tone.DIM)))
        self.query_one(LineBox).set_lines(lines)

    def on_key(self, event: events.Key) -> None:
        if event.character in ("1", "2", "3"):
            event.stop()
            self.dismiss(self.CHOICES[int(event.character) - 1])

    def action_leave(self) -> None:
        self.dismiss(None)
