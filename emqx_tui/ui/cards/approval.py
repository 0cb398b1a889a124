"""The approval card: what will happen, the checks, the way back, the command; and a word to type.

Plain Enter never approves: Enter counts only with the exact word, typed key by key (`typing_guard`). The card names one
revision. When what it shows has become something else, it says so, forgets what was typed and takes no key but esc:
the person has to open it again and read. Nothing is sent from here: an IntentSubmitted bubbles to the app.

The key of hold holds at once while nothing is typed yet, unless the word to type begins with it; then esc comes first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen

from emqx_tui.rollout.intents import Hold, Intent
from emqx_tui.session.views.published import Published
from emqx_tui.session.views.view import EditPreview, View
from emqx_tui.ui.cards.card import Card, Renew
from emqx_tui.ui.cards.typing_guard import TypingGuard
from emqx_tui.ui.rollout.key_reasons import key_reasons
from emqx_tui.ui.shell.keymap import Area, spelled
from emqx_tui.ui.shell.messages import IntentSubmitted, WordTyped
from emqx_tui.ui.shell.notice_line import Notice
from emqx_tui.ui.shell.screen import TakesNews
from emqx_tui.ui.text import paint
from emqx_tui.ui.text.glyphs import ALARM, WAITING
from emqx_tui.ui.text.line_box import LineBox
from emqx_tui.ui.text.spans import EMPTY, Line, Span, Tone, crop, line, spread, width, wrap

LABEL_CELLS = 10
FRAME_ROWS, ASKED_ROWS = 2, 2
"""Of the border; of the word to type and the keys. With title and warning above them they never scroll away."""
RUNBOOK = "Runbook"
COUNTDOWN_EVERY_S = 0.1
SCROLL_KEYS = {"up": -1, "down": 1, "pageup": -8, "pagedown": 8}


class ApprovalCard(TakesNews, ModalScreen[bool]):
    """Dismisses with True when something was sent."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "not now")]

    def __init__(
        self,
        renew: Renew,
        view: View | None,
        preview: EditPreview | None = None,
        *,
        by: str,
        place: str = "",
        read_only_reason: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`renew` makes the card from the newest view; `by` approves; `place` = context, namespace and cluster.

        `clock` is compared with the times of key events, unless it is another one than the system's: then it is the
        only clock.
        """
        super().__init__()
        self._renew, self._view = renew, view
        self._by, self._place, self._read_only_reason = by, place, read_only_reason
        self._clock = clock
        self._card = renew(view, preview)
        self._newest: Card | None = self._card
        self._guard = TypingGuard(clock())
        self._step = 0
        self._told = ""
        self._is_drawn = False

    # --- state ---

    @property
    def typed(self) -> str:
        """What has been typed so far."""
        return self._guard.text

    @property
    def told(self) -> str:
        """The last answer to a key."""
        return self._told

    @property
    def is_stale(self) -> bool:
        """What is shown is no longer what would be approved."""
        return self._card is None or self._newest is None or self._newest.revision != self._card.revision

    @property
    def blocked(self) -> str:
        """Why nothing can be approved now."""
        if self._read_only_reason:
            return self._read_only_reason
        if self._card is None:
            return "this is not on offer"
        if self._newest is None:
            return "this is no longer on offer: esc closes"
        if self.is_stale:
            return "this changed while the card was open: esc, then open it again"
        return self._newest.blocked

    # --- news and time ---

    def take(self, published: Published) -> None:
        """There is a newer view: the checks may have changed, or the whole matter."""
        self._view = published.view
        if self.is_stale:
            return
        self._newest = self._renew(published.view, published.edit_preview)
        if self.is_stale:
            self._forget()
        elif self._newest is not None and self._newest != self._card:
            self._card = self._newest
        if self.blocked:
            self._forget()
        self.show()

    def hear(self, notice: Notice | None) -> None:
        """In the frame, where it covers nothing."""
        said = paint.content((Span(" "), *notice.line, Span(" "))) if notice else ""
        self.query_one(".approval", Vertical).border_subtitle = said

    def tick(self) -> None:
        """The countdown; called by a timer."""
        self._show_prompt()

    def _forget(self) -> None:
        self._guard.clear()
        self._step = 0

    # --- drawing ---

    def compose(self) -> ComposeResult:
        with Vertical(classes="card approval"):
            yield LineBox(id="card-title")
            with VerticalScroll(id="card-scroll", can_focus=False):
                yield LineBox(id="card-body")
            yield LineBox(id="card-prompt")

    def on_mount(self) -> None:
        self.set_interval(COUNTDOWN_EVERY_S, self.tick)
        self.call_after_refresh(self.show)

    def on_resize(self) -> None:
        self.call_after_refresh(self.show)

    def show(self) -> None:
        """Draw everything anew from the card."""
        if not self.is_mounted or self._card is None:
            self._show_prompt()
            return
        title, scroll = self.query_one("#card-title", LineBox), self.query_one("#card-scroll", VerticalScroll)
        body = self.query_one("#card-body", LineBox)
        lines = card_lines(self._card, max(20, title.size.width - 1))
        heading = title_lines(self._card.title, self._place, title.size.width)
        asked = ASKED_ROWS + self._warning_rows(title.size.width)
        body.styles.height, title.styles.height = len(lines), len(heading)
        self.query_one("#card-prompt").styles.height = asked
        scroll.styles.height = min(len(lines), max(3, self.size.height - FRAME_ROWS - len(heading) - asked))
        body.set_lines(lines)
        if not self._is_drawn and title.size.width:
            self._is_drawn = True
            self._guard = TypingGuard(self._clock())
        title.set_lines(heading)
        self.call_after_refresh(self._show_prompt)

    def _show_prompt(self) -> None:
        if self.is_mounted:
            box = self.query_one("#card-prompt", LineBox)
            cells = box.size.width
            first, asked, keys = self.prompt_lines(cells)
            keys = line(*keys, *hidden_rows(self._below(), cells - width(keys)))
            told = wrap(first, max(1, cells))[: self._warning_rows(cells)]
            box.set_lines([*told, crop(asked, cells), crop(keys, cells)])

    def _warning_rows(self, cells: int) -> int:
        """Rows above the word to type: a warning is never cut."""
        return len(wrap(self._warning(), max(1, cells)))

    def _warning(self) -> Line:
        warning = self._card.warning if self._card else ""
        return line((f"{ALARM} {warning}", Tone.WARN)) if warning else EMPTY

    def _below(self) -> list[str]:
        """The rows of which not all is in sight, as long as something is below."""
        scroll = self.query_one("#card-scroll", VerticalScroll)
        end = scroll.scroll_target_y + (scroll.styles.height.value if scroll.styles.height else 0)
        rows = card_rows(self._card, max(20, self.query_one("#card-title").size.width - 1)) if self._card else []
        out, at = [], 0
        for label, lines in rows:
            at += len(lines)
            if at > end:
                out.append(label)
        return out

    def prompt_lines(self, cells: int = 200) -> list[Line]:
        """The last three lines: a warning or an answer, the word to type, the keys. What is typed is never cut."""
        first = line((self._told, Tone.WARN)) if self._told else self._warning()
        hold = ((f"   {self._hold_key}", Tone.KEY), " hold") if self.can_hold else ()
        keys = line(("esc", Tone.KEY), " not now", *hold)
        if self.blocked:
            return [first, line((f"{ALARM} {self.blocked}", Tone.BAD)), keys]
        left_s = self._guard.remaining_s(self._clock())
        if left_s > 0:
            return [first, line((f"{WAITING} read first: keys are taken in {left_s:.1f} s", Tone.WAIT)), keys]
        asked = self._asked()
        typed = Span(f"[{self.typed}{'_' * max(0, len(asked.token) - len(self.typed))}]", Tone.STRONG)
        enter = line("  then ", ("enter", Tone.KEY))
        prompt = crop(line(f"{asked.prompt}: "), cells - width((typed,)))
        is_room = width((*prompt, typed, *enter)) <= cells
        return [first, (*prompt, typed, *(enter if is_room else ())), keys]

    def _asked(self):
        assert self._card is not None
        return self._card.asked[self._step]

    # --- keys ---

    @property
    def _hold_key(self) -> str:
        return spelled(Area.ROLLOUT, "hold")

    @property
    def can_hold(self) -> bool:
        """The key of hold holds now: a release runs, nothing is typed, and the word does not begin with it."""
        if self.typed or self._read_only_reason or self._card is None:
            return False
        if self._view is None or self._view.journal is None:
            # Without a journal it takes a card of its own.
            return False
        return not self._asked().token.startswith(self._hold_key) and not key_reasons(self._view)["hold"]

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._answer(self._guard.paste().sentence)

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            return
        event.stop()
        event.prevent_default()
        at = event.time if self._clock is time.monotonic else self._clock()
        if event.key == self._hold_key and self.can_hold:
            self.app.post_message(IntentSubmitted(Hold(self._by)))
            self.dismiss(False)
        elif event.key in SCROLL_KEYS:
            self.query_one("#card-scroll", VerticalScroll).scroll_relative(y=SCROLL_KEYS[event.key], animate=False)
            self.call_after_refresh(self._show_prompt)
        elif self.blocked or not self._is_drawn:
            self._answer(f"nothing is taken: {self.blocked or 'the card is not drawn yet'}")
        elif event.key == "enter":
            self._enter(at)
        elif event.key == "backspace":
            self._guard.erase(at)
            self._answer("")
        elif event.is_printable and event.character:
            refused = self._guard.press(event.character, at)
            self._answer(refused.sentence if refused else "")

    def _enter(self, at: float) -> None:
        refused = self._guard.enter(at)
        if refused:
            self._answer(refused.sentence)
            return
        asked = self._asked()
        if (intent := self._other_way()) is not None:
            self.app.post_message(WordTyped(True))
            self._send(intent)
            return
        if self.typed:
            self.app.post_message(WordTyped(self.typed == asked.token))
        if self.typed != asked.token:
            wrong = (
                f"{self.typed!r} is not {asked.token}: nothing was sent" if self.typed else "enter alone sends nothing"
            )
            self._guard.clear()
            self._answer(wrong)
            return
        self._guard.clear()
        assert self._card is not None
        if self._step + 1 < len(self._card.asked):
            self._step += 1
            self._answer("")
            return
        self._send(self._card.intent(self._by))

    def _other_way(self) -> Intent | None:
        card = self._card
        is_last = card is not None and self._step + 1 == len(card.asked)
        if card is None or card.other is None or not is_last or self.typed != card.other.token:
            return None
        return card.other.intent(self._by)

    def _send(self, intent: Intent) -> None:
        self.app.post_message(IntentSubmitted(intent))
        self.dismiss(True)

    def _answer(self, sentence: str) -> None:
        self._told = sentence
        self._show_prompt()

    def action_leave(self) -> None:
        self.dismiss(False)


def title_lines(title: str, place: str, cells: int) -> list[Line]:
    """What is asked and where, on two lines where one has no room."""
    found, where = line((title, Tone.STRONG)), line((place, Tone.DIM))
    return [spread(found, where, cells)] if width(found) + width(where) < cells else [found, where]


def hidden_rows(labels: Sequence[str], cells: int) -> Line:
    """`↓ Runbook, Command`: what is below the fold, and the key that shows it; the runbook is named first."""
    if not labels:
        return EMPTY
    named = sorted(labels, key=lambda label: label != RUNBOOK)
    return crop(line("   ", ("↓", Tone.KEY), f" {', '.join(named)}"), cells)


def card_lines(card: Card, cells: int) -> list[Line]:
    """The rows of a card, wrapped, each label once."""
    return [spans for _, lines in card_rows(card, cells) for spans in lines]


def card_rows(card: Card, cells: int) -> list[tuple[str, list[Line]]]:
    """The same by label."""
    out: list[tuple[str, list[Line]]] = []
    for label, lines in card.rows:
        wrapped = [part for spans in lines for part in wrap(spans, cells - LABEL_CELLS)]
        names = [label, *[""] * len(wrapped)]
        out.append(
            (
                label,
                [
                    (Span(name.ljust(LABEL_CELLS), Tone.DIM), *spans)
                    for name, spans in zip(names, wrapped, strict=False)
                ],
            )
        )
    return out
