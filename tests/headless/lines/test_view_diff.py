"""What is told of a release as it changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.headless.lines.events import Event
from emqx_tui.headless.lines.view_diff import begin, diff
from emqx_tui.rollout.gate_id import GateId
from emqx_tui.rollout.state.journal import ApprovalRecord, HoldRecord, Journal
from emqx_tui.session.views.view import LogLine, LogSource, View
from tests.support import releases

DECIDED = (Event.GATE, Event.APPROVED, Event.HOLD, Event.RESUMED)


def test_a_gate_is_told_again_when_a_hold_before_it_is_lifted() -> None:
    gate, hold = releases.at_gate(), HoldRecord("bob@laptop", releases.NOW, "pager rings")
    assert gate.journal
    held = replace(gate, journal=replace(gate.journal, hold=hold))
    told, names = begin(gate), []
    for second, view in enumerate((gate, gate, held, held, gate, gate)):
        now = gate.now + timedelta(seconds=second)
        records, told = diff(told, replace(view, snapshot=replace(view.snapshot, now=now)), float(second))
        names.append([record.event for record in records if record.event in (Event.GATE, Event.HOLD, Event.RESUMED)])
    assert names == [[Event.GATE], [], [Event.HOLD], [], [Event.RESUMED, Event.GATE], []]


@pytest.mark.parametrize(("ahead_s", "told_s"), [(-3, -3), (300, 0)], ids=["late", "of a clock that is ahead"])
def test_what_is_told_has_happened(ahead_s: int, told_s: int) -> None:
    """Else every line after it would bear the time of a node's wrong clock, or go back."""
    before = releases.draining()
    at = before.now + timedelta(seconds=ahead_s)
    view = replace(before, log=(*before.log, LogLine(at, LogSource.KUBERNETES, "Killing: stops")))
    records, _ = diff(replace(begin(before), since=None), view, 0.0)
    (told,) = (record for record in records if record.event is Event.CLUSTER)
    assert told.at == before.now + timedelta(seconds=told_s)


GATE = releases.at_gate()
assert GATE.journal
OPEN = GATE.journal
HELD = replace(OPEN, hold=HoldRecord("bob@laptop", releases.NOW, "pager rings"))
FROZEN = replace(OPEN, hold=HoldRecord("ann@bastion", releases.NOW, "stop", freeze=True))
APPROVED = replace(
    OPEN, approvals=(*OPEN.approvals, ApprovalRecord(9, GateId.node(0), "ann@bastion", releases.NOW, "e3"))
)


def standing(journal: Journal) -> View:
    return replace(GATE, journal=journal)


def on_its_way(journal: Journal, stored: Journal) -> View:
    """`journal` is being written, on top of `stored`."""
    gate = None if journal is APPROVED else GATE.decision.gate
    return replace(GATE, journal=journal, stored=stored, is_unwritten=True, decision=replace(GATE.decision, gate=gate))


STRETCHES = {
    "a hold that was lifted before a view stood still": (
        [standing(OPEN), on_its_way(HELD, OPEN), on_its_way(OPEN, HELD), standing(OPEN)],
        ["gate", "", "hold", "resumed gate"],
    ),
    "a hold and a freeze on top of it": (
        [standing(OPEN), on_its_way(HELD, OPEN), on_its_way(FROZEN, HELD), standing(FROZEN)],
        ["gate", "", "hold", "hold"],
    ),
    "a hold that did not come to stand": (
        [standing(OPEN), on_its_way(HELD, OPEN), standing(OPEN)],
        ["gate", "", ""],
    ),
    "an approval that did not come to stand": (
        [standing(OPEN), on_its_way(APPROVED, OPEN), standing(OPEN)],
        ["gate", "", ""],
    ),
    "an approval, told when it stands, though counters are written": (
        [standing(OPEN), on_its_way(APPROVED, OPEN), on_its_way(APPROVED, APPROVED)],
        ["gate", "", "approved"],
    ),
    "a gate opens again when the resume stands": (
        [standing(HELD), on_its_way(OPEN, HELD), standing(OPEN)],
        ["", "", "resumed gate"],
    ),
    "a run that begins while counters are written": (
        [on_its_way(HELD, HELD), standing(HELD)],
        ["", ""],
    ),
}


@pytest.mark.parametrize(("views", "told"), STRETCHES.values(), ids=STRETCHES)
def test_what_is_told_while_the_journal_is_on_its_way(views: list[View], told: list[str]) -> None:
    """A decision is told when it stands, each one, and what does not come to stand is not told."""
    state, events = begin(views[0]), []
    for second, view in enumerate(views):
        now = GATE.now + timedelta(seconds=second)
        records, state = diff(state, replace(view, snapshot=replace(view.snapshot, now=now)), float(second))
        names = [str(record.event) for record in records if record.event in DECIDED]
        events.append(" ".join(names))
    assert events == told
