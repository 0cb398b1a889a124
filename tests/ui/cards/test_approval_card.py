"""The approval card under keys: only the exact word, typed key by key, on what was read, sends anything.

Time is the test's own: keys are pressed at instants that the test sets.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from textual import events
from textual.pilot import Pilot

from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.gate_id import CUT_OVER, GateId
from emqx_tui.rollout.intents import Abort, Adopt, Approve, Brake, Hold
from emqx_tui.runbook import Gate, Runbook, load
from emqx_tui.session.views import facts
from emqx_tui.session.views.notice import NoticeKind
from emqx_tui.session.views.view import View
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.cards.abort_card import renew_abort
from emqx_tui.ui.cards.approval import ApprovalCard
from emqx_tui.ui.cards.card import Renew
from emqx_tui.ui.cards.gate_card import renew_gate
from emqx_tui.ui.cards.typing_guard import SETTLE_S
from emqx_tui.ui.cards.ungated_cards import renew_adoption, renew_brake
from emqx_tui.ui.text.spans import plain
from tests.support import releases
from tests.support.screen_text import lines, text, until, until_shown
from tests.support.scripted import ScriptedBackend


class Hands:
    """A keyboard with a clock: each key comes 0.3 s after the one before, unless told otherwise."""

    def __init__(self, pilot: Pilot, backend: ScriptedBackend) -> None:
        self.pilot, self.backend = pilot, backend
        self.now = 1_000.0

    def clock(self) -> float:
        return self.now

    @property
    def card(self) -> ApprovalCard:
        assert isinstance(self.pilot.app.screen, ApprovalCard)
        return self.pilot.app.screen

    @property
    def is_open(self) -> bool:
        return isinstance(self.pilot.app.screen, ApprovalCard)

    async def type(self, *keys: str, gap_s: float = 0.3) -> None:
        for key in keys:
            self.now += gap_s
            await self.pilot.press(key)

    async def settle(self) -> None:
        self.now += SETTLE_S + 0.1
        self.card.tick()
        await self.pilot.pause()

    async def publish(self, view: View) -> None:
        self.backend.publish(view=view)
        await until(self.pilot, lambda: self.pilot.app.published.view is view)  # type: ignore[attr-defined]


@asynccontextmanager
async def opened(
    view: View, renew: Renew, *, size: tuple[int, int] = (80, 24), settled: bool = True, read_only: bool = False
) -> AsyncIterator[Hands]:
    backend = ScriptedBackend(shown_view=view, is_read_only=read_only)
    app = ConsoleApp(backend, opened=("mqtt", "emqx-ee"))
    async with app.run_test(size=size) as pilot:
        await until_shown(pilot, "CLIENTS")
        hands = Hands(pilot, backend)
        card = ApprovalCard(
            renew, view, by="ann@bastion", place="mqtt", read_only_reason=app.read_only_reason, clock=hands.clock
        )
        app.push_screen(card)
        await until_shown(pilot, "esc not now")
        if settled:
            await hands.settle()
        yield hands


def node(view: View | None = None):
    return opened(view or releases.at_gate(), renew_gate(GateId.node(0)))


async def test_the_word_typed_key_by_key_and_enter_approve_what_was_read():
    async with node() as hands:
        await hands.type("0", "enter")
        await until(hands.pilot, lambda: not hands.is_open)
        assert hands.backend.intents == [Approve(GateId.node(0), "rev-7", "ann@bastion")]


async def test_that_a_word_was_typed_is_recorded_and_not_which():
    async with node() as hands:
        await hands.type(*"zap", "enter")
        await hands.type("enter")
        await hands.type("0", "enter")
        await until(hands.pilot, lambda: not hands.is_open)
        assert hands.backend.keys == [("wrong word typed", "card"), ("word typed", "card")]


async def test_a_key_of_the_screen_is_recorded_by_the_name_of_its_action():
    async with node() as hands:
        await hands.type("escape")
        await until(hands.pilot, lambda: not hands.is_open)
        await hands.type("p")
        await until(hands.pilot, lambda: bool(hands.backend.keys))
        assert hands.backend.keys == [("policy", "rollout")]


async def test_plain_enter_never_approves():
    async with node() as hands:
        await hands.type("enter")
        assert hands.is_open
        assert "enter alone sends nothing" in text(hands.pilot.app)
        assert hands.backend.intents == []


async def test_nothing_is_taken_for_the_first_second_and_a_half():
    async with opened(releases.at_gate(), renew_gate(GateId.node(0)), settled=False) as hands:
        assert "keys are taken in 1.5 s" in text(hands.pilot.app)
        await hands.type("0", "enter", gap_s=0.5)
        assert hands.card.typed == ""
        assert hands.backend.intents == []
        await hands.settle()
        assert "keys are taken in" not in text(hands.pilot.app)
        await hands.type("enter")
        assert hands.backend.intents == []


async def test_a_wrong_word_sends_nothing_and_is_cleared():
    async with node() as hands:
        await hands.type("1", "enter")
        assert "'1' is not 0: nothing was sent" in text(hands.pilot.app)
        assert hands.card.typed == ""
        await hands.type("0", "0", "enter")
        assert hands.backend.intents == []


async def test_a_marked_paste_is_refused():
    async with node() as hands:
        hands.card.post_message(events.Paste("0"))
        await until(hands.pilot, lambda: hands.card.told)
        assert "pasting is not taken" in text(hands.pilot.app)
        await hands.type("enter")
        assert hands.backend.intents == []


async def test_a_burst_of_keys_is_refused_like_a_paste():
    async with opened(releases.before_cut_over(), renew_gate(CUT_OVER)) as hands:
        await hands.type("g", "r", "e", "e", "n", "enter", gap_s=0.001)
        assert hands.card.typed == ""
        await hands.type("enter")
        assert hands.backend.intents == []


async def test_a_key_that_repeats_is_refused():
    gate = releases.node_gate(11, clients=5)
    view = releases.at_gate(decision=replace(releases.at_gate().decision, gate=gate))
    async with opened(view, renew_gate(GateId.node(11))) as hands:
        await hands.type("1", "1", gap_s=0.04)
        assert "a key that repeats is not taken" in text(hands.pilot.app)
        await hands.type("enter")
        assert hands.backend.intents == []
        await hands.type("1", gap_s=1.0)
        await hands.type("1", "enter", gap_s=0.25)
        assert [intent.gate for intent in hands.backend.intents if isinstance(intent, Approve)] == [GateId.node(11)]


async def test_a_gate_that_changed_says_so_and_has_to_be_opened_again():
    async with node() as hands:
        await hands.type("0")
        gate = releases.node_gate(revision="rev-8", clients=40_000)
        await hands.publish(releases.at_gate(decision=replace(releases.at_gate().decision, gate=gate)))
        assert "this changed while the card was open" in text(hands.pilot.app)
        assert hands.card.typed == ""
        assert "33,120 clients" in text(hands.pilot.app), "what is shown is what was read"
        await hands.type("0", "enter")
        assert hands.backend.intents == []
        await hands.publish(releases.at_gate())
        await hands.type("0", "enter")
        assert hands.backend.intents == [], "a card that was stale once stays so"


async def test_a_gate_that_is_gone_says_so():
    async with node() as hands:
        await hands.publish(releases.done())
        assert "no longer on offer" in text(hands.pilot.app)
        await hands.type("0", "enter")
        assert hands.backend.intents == []


async def test_figures_that_move_are_shown_and_do_not_disturb_the_word():
    async with opened(releases.before_cut_over(), renew_gate(CUT_OVER)) as hands:
        await hands.type("g", "r")
        moved = replace(releases.before_cut_over().decision, gate=releases.cut_over_gate(seconds=42.0))
        await hands.publish(releases.before_cut_over(decision=moved))
        await until_shown(hands.pilot, "about 42 s")
        await hands.type("e", "e", "n", "enter")
        assert hands.backend.intents == [Approve(CUT_OVER, "rev-3", "ann@bastion")]


async def test_a_check_that_stops_passing_shuts_the_card_without_a_new_revision():
    async with node() as hands:
        await hands.type("0")
        waits = CheckResult("broker-data", Outcome.WAIT, "EMQX is silent for 11 s")
        gate = releases.node_gate(checks=releases.checks(broker_data=waits))
        await hands.publish(releases.at_gate(decision=replace(releases.at_gate().decision, gate=gate)))
        assert "broker data: EMQX is silent for 11 s" in text(hands.pilot.app)
        await hands.type("enter")
        assert hands.backend.intents == []


async def test_h_holds_at_once_even_before_keys_are_taken():
    async with opened(releases.at_gate(), renew_gate(GateId.node(0)), settled=False) as hands:
        await hands.type("h", gap_s=0.01)
        await until(hands.pilot, lambda: not hands.is_open)
        assert hands.backend.intents == [Hold("ann@bastion")]


async def test_h_is_a_letter_once_something_is_typed():
    async with opened(releases.before_cut_over(), renew_abort) as hands:
        await hands.type("e", "h")
        assert hands.card.typed == "eh"
        assert hands.backend.intents == []


async def test_h_is_a_letter_where_the_word_begins_with_it():
    view = releases.before_cut_over()
    view = replace(view, snapshot=replace(view.snapshot, name="hub"))
    async with opened(releases.before_cut_over(), lambda _view, _: renew_abort(view, None)) as hands:
        assert "esc not now   h hold" not in text(hands.pilot.app)
        await hands.type("h", "u", "b", "enter")
        assert hands.backend.intents == [Abort("ann@bastion", "abort-1")]


async def test_the_abort_asks_for_the_clusters_name():
    async with opened(releases.before_cut_over(), renew_abort) as hands:
        await hands.type("e", "m", "q", "x", "minus", "e", "e", "enter")
        assert hands.backend.intents == [Abort("ann@bastion", "abort-1")]


async def test_esc_is_not_now():
    async with node() as hands:
        await hands.type("0", "escape")
        await until(hands.pilot, lambda: not hands.is_open)
        assert hands.backend.intents == []


async def test_read_only_takes_no_word():
    async with opened(releases.at_gate(), renew_gate(GateId.node(0)), read_only=True) as hands:
        assert "started with --read-only" in text(hands.pilot.app)
        await hands.type("0", "enter", "h")
        assert hands.backend.intents == []
        assert hands.is_open


async def test_a_word_can_be_corrected():
    async with opened(releases.before_cut_over(), renew_gate(CUT_OVER)) as hands:
        await hands.type("g", "r", "e", "w", "backspace", "e", "n", "enter")
        assert hands.backend.intents == [Approve(CUT_OVER, "rev-3", "ann@bastion")]


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_word_warning_and_keys_are_always_in_sight(size):
    async with opened(releases.at_gate(), renew_gate(GateId.node(0)), size=size) as hands:
        shown = lines(hands.pilot.app)
        for words in ("Last way back", "Type the node's number (0)", "esc not now", "33,120 clients"):
            assert any(words in row for row in shown), words


async def test_a_card_on_a_small_screen_scrolls_to_its_commands():
    async with node() as hands:
        assert "--subresource=scale" not in text(hands.pilot.app)
        await hands.type("pagedown")
        await until_shown(hands.pilot, "--subresource=scale")


@pytest.mark.parametrize(
    ("view", "gate", "words"),
    [(releases.at_gate(), GateId.node(0), "Mind [b]drains[/b]"), (releases.before_cut_over(), CUT_OVER, "Mind cuts")],
)
async def test_the_runbook_of_the_gate_stands_on_its_card(view, gate, words):
    runbook = Runbook({Gate.DRAIN: ("Mind [b]drains[/b]", "- twice"), Gate.CUT_OVER: ("Mind cuts",)})
    async with opened(view, renew_gate(gate, runbook), size=(120, 40)) as hands:
        await until_shown(hands.pilot, "Runbook", words)
        assert ("- twice" in text(hands.pilot.app)) is (gate != CUT_OVER)


async def test_a_runbook_that_cannot_be_read_is_one_line_and_keeps_nobody_from_approving(tmp_path):
    renew = renew_gate(GateId.node(0), load(tmp_path / "none.md"))
    async with opened(releases.at_gate(), renew, size=(200, 50)) as hands:
        await until_shown(hands.pilot, "▲ ", "none.md is not used: No such file", "Clients of this node reconnect")
        await hands.type("0", "enter")
        await until(hands.pilot, lambda: not hands.is_open)
        assert len(hands.backend.intents) == 1


async def test_the_screen_hands_its_runbook_to_the_card():
    backend = ScriptedBackend(shown_view=releases.at_gate())
    runbook = Runbook({Gate.DRAIN: ("Mind the drains",)})
    app = ConsoleApp(backend, opened=("mqtt", "emqx-ee"), runbook=runbook)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "CLIENTS")
        await pilot.press("a")
        await until_shown(pilot, "Runbook", "Mind the drains")


async def test_text_of_the_cluster_is_not_parsed():
    gate = releases.node_gate(commands=("curl '[bold]x[/bold]'",))
    view = releases.at_gate(decision=replace(releases.at_gate().decision, gate=gate))
    async with opened(view, renew_gate(GateId.node(0)), size=(200, 50)) as hands:
        assert "[bold]x[/bold]" in text(hands.pilot.app)


async def test_an_answer_covers_nothing_of_a_card():
    """What came of the step before arrives while the next card is read."""
    async with opened(releases.at_gate(), renew_gate(GateId.node(0))) as hands:
        before = lines(hands.pilot.app)
        words = "[b]somebody else[/b] wrote the journal at the same moment, and more than once"
        hands.backend.notice(words, NoticeKind.REFUSED)
        await until_shown(hands.pilot, "refused: [b]somebody else[/b] wrote the journal")
        after = lines(hands.pilot.app)
        changed = [number for number, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
        assert changed == [23], "only the frame's last row may tell it"
        for words in ("Last way back", "Type the node's number (0)", "esc not now"):
            assert any(words in row for row in after)


STOPPED = releases.ungated(is_stopped=True)


@asynccontextmanager
async def stopped_and_opened() -> AsyncIterator[Hands]:
    """The card over the screen of a release that was stopped a moment ago; without the question that it puts itself."""
    async with opened(releases.ungated(), renew_brake, size=(120, 40), settled=False) as hands:
        await hands.pilot.press("escape")
        await hands.publish(STOPPED)
        await until(hands.pilot, lambda: hands.is_open)
        await hands.pilot.press("escape")
        card = ApprovalCard(renew_adoption, STOPPED, by="ann@bastion", clock=hands.clock)
        hands.pilot.app.push_screen(card)
        await until_shown(hands.pilot, "esc not now")
        await hands.settle()
        yield hands


@pytest.mark.parametrize(
    ("live", "words"),
    [
        ({}, "no client is on green: nobody is moved"),
        ({f"{releases.GREEN}-0": 7}, "7 clients on green are disconnected again"),
    ],
)
def test_going_back_names_who_is_on_green(live: dict[str, int], words: str) -> None:
    on_green = {f"{releases.GREEN}-{n}": 0 for n in range(3)} | live
    counts = {f"{releases.BLUE}-{n}": 33_000 for n in (1, 0)} | on_green
    seen = releases.snapshot(counts, blue=2)
    view = replace(STOPPED, snapshot=replace(STOPPED.snapshot, stats=seen.stats))
    card = renew_adoption(view, None)
    assert card is not None
    told = {label: [plain(each) for each in said] for label, said in card.rows}
    assert words in told["abort"]


@pytest.mark.parametrize(("word", "goes_back"), [("adopt", False), ("abort", True)])
async def test_a_release_without_a_journal_is_adopted_or_aborted_by_the_word_that_is_typed(word, goes_back):
    found = facts.ungated(STOPPED)
    assert found is not None
    async with stopped_and_opened() as hands:
        await until_shown(hands.pilot, "Type adopt or abort")
        await hands.type(*word, "enter")
        assert hands.backend.intents == [Adopt("ann@bastion", found.revision, goes_back=goes_back)]
        assert not hands.is_open


async def test_no_third_word_is_taken_for_either():
    async with stopped_and_opened() as hands:
        await hands.type(*"adort", "enter")
        assert hands.backend.intents == []
        assert hands.is_open


async def test_the_card_of_either_way_is_stale_when_another_node_is_gone():
    async with stopped_and_opened() as hands:
        sets = STOPPED.snapshot.stateful_sets
        smaller = tuple(replace(each, replicas=1) if each.name == releases.BLUE else each for each in sets.value or ())
        gone = replace(STOPPED.snapshot, stateful_sets=replace(sets, value=smaller))
        await hands.publish(replace(STOPPED, snapshot=gone))
        assert hands.card.is_stale
        await hands.type(*"adopt", "enter")
        assert hands.backend.intents == []


async def test_the_brake_takes_its_word_and_h_alone_sends_no_hold():
    async with opened(releases.ungated(), renew_brake, size=(120, 40)) as hands:
        assert not hands.card.can_hold
        await hands.type(*"hold", "enter")
        assert hands.backend.intents == [Brake("ann@bastion")]


def test_what_is_not_known_is_said_and_leaves_one_way_or_none():
    unknown = replace(STOPPED, snapshot=replace(STOPPED.snapshot, replaced_delay=None))
    card = renew_adoption(unknown, None)
    assert card is not None
    assert card.blocked == "your own initialDelaySeconds is not known: it has to be given"
    sets = STOPPED.snapshot.stateful_sets
    bare = replace(sets, value=tuple(replace(each, pod_template={}) for each in sets.value or ()))
    card = renew_adoption(replace(STOPPED, snapshot=replace(STOPPED.snapshot, stateful_sets=bare)), None)
    assert card is not None
    assert ([asked.token for asked in card.asked], card.other, card.blocked) == (["adopt"], None, "")
    words = "\n".join(plain(each) for _, rows in card.rows for each in rows)
    assert "no way back then" in words
    assert "emqx-tui abort --template FILE gives it" in words
