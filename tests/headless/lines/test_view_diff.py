"""What is told of a release as it changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.headless.lines.events import Event
from emqx_tui.headless.lines.view_diff import begin, diff
from emqx_tui.rollout.state.journal import HoldRecord
from emqx_tui.session.views.view import LogLine, LogSource
from tests.support import releases


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
